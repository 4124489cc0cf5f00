// Reads and writes the safetensors format (github.com/huggingface/safetensors): 8 bytes with the header's
// length (little-endian), a JSON header, then the tensors' bytes. Checkpoints and exports use it. The header:
//
//   {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, ...,
//    "__metadata__": {"key": "value"}}
//
// Offsets count from the end of the header, without gaps. The writer puts tensors of wider elements first, so
// that each tensor is aligned. Files are written and read in pieces; no more than one piece is in memory.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "graticule/core/span.h"
#include "graticule/train/file.h"

namespace graticule {

struct TensorEntry {
  std::string name;
  at::ScalarType dtype = at::kFloat;  ///< F64 F32 F16 BF16 I64 I32 I16 I8 U8 BOOL
  std::vector<int64_t> shape;

  /// Both: -1 when the shape has more than 2^63 bytes, or a negative size.
  int64_t elements() const;
  int64_t bytes() const;
};

using Metadata = std::map<std::string, std::string>;

class SafetensorsWriter {
 public:
  /// Makes the file and writes the header. Refuses a name given twice and a dtype that the format does not
  /// have.
  SafetensorsWriter(const std::string& path, std::vector<TensorEntry> entries, const Metadata& metadata = {});

  /// Writes one whole tensor; the order of tensors is free. Dtype and shape must be the declared ones.
  void write(const std::string& name, const at::Tensor& values);
  /// Writes elements [begin, begin + values.numel()) of the tensor, counted in row-major order.
  void write_elements(const std::string& name, int64_t begin, const at::Tensor& values);
  /// Syncs the file to the disk; every element must have been written once. Without close(), readers may take
  /// an incomplete file for a whole one: write to another name and rename after close().
  void close();
  /// The file's checksum, as file_checksum (checksum.h) gives it, computed while writing. All tensors must have
  /// been written one after the other in the order of the file: wider elements first, else as declared.
  std::string checksum() const;

 private:
  struct Slot {
    TensorEntry entry;
    int64_t offset;  ///< in the file
  };
  File file_;
  std::map<std::string, Slot> slots_;
  int64_t bytes_left_ = 0, in_order_ = 0;  ///< so many bytes of the file were written in order
  uint32_t crc_ = 0;                       ///< of these bytes
};

class SafetensorsReader {
 public:
  /// Reads the header. Fails, naming the file, when it is truncated, its header is not JSON of the form
  /// above, offsets disagree with shapes, overlap or leave gaps, or a dtype is unknown.
  explicit SafetensorsReader(const std::string& path);

  const std::string& path() const { return file_.path(); }
  const Metadata& metadata() const { return metadata_; }
  /// In the file's order.
  const std::vector<TensorEntry>& entries() const { return entries_; }
  bool contains(const std::string& name) const { return positions_.contains(name); }
  /// The entry of a tensor. Fails when there is none; the message gives the nearest name.
  const TensorEntry& entry(const std::string& name) const;

  /// The whole tensor, on the CPU.
  at::Tensor read(const std::string& name) const;
  /// The same; fails when the tensor has another shape.
  at::Tensor read(const std::string& name, at::IntArrayRef shape) const;
  /// Elements [begin, end) of the tensor in row-major order, as a 1-D tensor. Reads no other bytes of it.
  at::Tensor read_elements(const std::string& name, Span elements) const;

 private:
  size_t position(const std::string& name) const;

  File file_;
  Metadata metadata_;
  std::vector<TensorEntry> entries_;
  std::vector<int64_t> offsets_;  // of each entry, in the file
  std::map<std::string, size_t> positions_;
};

}  // namespace graticule

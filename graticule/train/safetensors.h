// The safetensors format: 8 bytes of header length (little-endian), a JSON header, then the tensors' bytes.
//
//   {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, ..., "__metadata__": {"key":
//   "value"}}
//
// Offsets count from the end of the header, without gaps. Tensors of wider elements come first, so that each
// is aligned. A file is written and read in pieces: neither side ever holds more than the piece at hand.
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

  int64_t elements() const;
  int64_t bytes() const;
};

using Metadata = std::map<std::string, std::string>;

class SafetensorsWriter {
 public:
  /// Makes the file and writes the header. Refuses a name given twice and a dtype the format does not have.
  SafetensorsWriter(const std::string& path, std::vector<TensorEntry> entries, const Metadata& metadata = {});

  /// Writes one whole tensor, in any order. Another dtype or shape than declared is our bug.
  void write(const std::string& name, const at::Tensor& values);
  /// Writes elements [begin, begin + values.numel()) of the tensor, counted in row-major order.
  void write_elements(const std::string& name, int64_t begin, const at::Tensor& values);
  /// Brings everything to the disk. Every element must have been written once. A writer that is dropped
  /// before leaves a file that readers may take for whole: write aside and rename after close().
  void close();

 private:
  struct Slot {
    TensorEntry entry;
    int64_t offset;  ///< in the file
  };
  File file_;
  std::map<std::string, Slot> slots_;
  int64_t bytes_left_ = 0;
};

class SafetensorsReader {
 public:
  /// Reads the header. Fails, naming the file, when it is truncated, when its header is no JSON of the form
  /// above, when offsets disagree with shapes, overlap or leave gaps, and for an unknown dtype.
  explicit SafetensorsReader(const std::string& path);

  const std::string& path() const { return file_.path(); }
  const Metadata& metadata() const { return metadata_; }
  /// In the file's order.
  const std::vector<TensorEntry>& entries() const { return entries_; }
  bool contains(const std::string& name) const { return positions_.contains(name); }
  /// Fails with the nearest name when there is no such tensor.
  const TensorEntry& entry(const std::string& name) const;

  at::Tensor read(const std::string& name) const;
  /// Fails when the tensor has another shape.
  at::Tensor read(const std::string& name, at::IntArrayRef shape) const;
  /// Elements [begin, end) of the tensor in row-major order, as a 1-D tensor. Reads no other byte.
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

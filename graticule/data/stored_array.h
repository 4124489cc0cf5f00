// An n-dimensional array as a container file holds it, before anything is known of latitudes: what the Zarr
// and the NetCDF reader offer, and what grid_source.h makes a Source of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "graticule/core/span.h"
#include "graticule/data/packing.h"

namespace graticule {

struct ArrayHeader {
  std::string name;
  std::string file;  ///< for messages
  NumberType type = NumberType::f4;
  std::vector<std::string> dimensions;  ///< names, outermost first
  std::vector<int64_t> shape;
  nlohmann::json attributes = nlohmann::json::object();
  Packing packing;
};

/// How an array lies in its file.
struct Chunking {
  std::vector<int64_t> shape;  ///< of a chunk; empty where only what is asked for is read
  bool whole = false;          ///< reading a part decodes all of a chunk, not blocks of it
};

/// Row-major storage: the dimensions in order, slowest first.
std::vector<size_t> row_major(size_t rank);

/// What a group says for the groups below it: coordinates of one dimension, and scalars.
bool describes_axes(const ArrayHeader& header);

class StoredArray {
 public:
  virtual ~StoredArray() = default;
  const ArrayHeader& header() const { return header_; }
  virtual Chunking chunking() const { return {}; }
  /// Reads the box (one span a dimension) as stored, in native byte order, row-major. Fails on a damaged
  /// file.
  virtual void read(std::span<const Span> box, std::span<std::byte> out) = 0;

 protected:
  explicit StoredArray(ArrayHeader header) : header_(std::move(header)) {}

 private:
  ArrayHeader header_;
};

/// One opened container: a Zarr store or one NetCDF file.
struct Dataset {
  std::string path;
  std::string container;                             ///< "Zarr 2", "Zarr 3", "NetCDF-3", "NetCDF-4"
  std::vector<std::unique_ptr<StoredArray>> arrays;  ///< numeric ones only
  std::vector<std::string> notes;                    ///< what was left out, or how it was understood, and why
  std::string provenance;                            ///< the global attribute `source`, "" when absent
  std::map<std::string, std::string> mappings;  ///< variables that are grid mappings -> the mapping's name
  std::vector<std::string> groups;              ///< paths of groups below, which are not read
};

}  // namespace graticule

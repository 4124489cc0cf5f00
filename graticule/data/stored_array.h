// An n-dimensional array as a file contains it, before latitudes and longitudes are known. The readers of
// Zarr and NetCDF make these; grid_source.h makes a Source out of them.
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
  /// Our name with @level, where the reader knows it (channels.h). "": the name is translated (names.h).
  std::string variable = {};
};

/// How an array is cut into chunks in its file.
struct Chunking {
  std::vector<int64_t> shape;  ///< of a chunk; empty when exactly the box asked for is read
  bool whole = false;          ///< reading a part decodes the whole chunk, not blocks of it
};

/// The order of dimensions of row-major storage: 0, 1, 2, ..., slowest first.
std::vector<size_t> row_major(size_t rank);

/// "32 x 64"
std::string sizes_in_words(const std::vector<int64_t>& sizes);

/// Bytes of all values of an array.
size_t bytes_of(const ArrayHeader& header);

/// Whether an array also applies to the groups below its own: a coordinate of one dimension, or a scalar.
bool describes_axes(const ArrayHeader& header);

class StoredArray {
 public:
  virtual ~StoredArray() = default;
  const ArrayHeader& header() const { return header_; }
  virtual Chunking chunking() const { return {}; }
  /// Arrays with the same text share chunks.
  virtual std::string place() const { return header_.file + "/" + header_.name; }
  /// Reads the box (one span a dimension) into `out`: stored numbers, native byte order, row-major. Fails on
  /// a damaged file.
  virtual void read(std::span<const Span> box, std::span<std::byte> out) = 0;

 protected:
  explicit StoredArray(ArrayHeader header) : header_(std::move(header)) {}

 private:
  ArrayHeader header_;
};

/// All values of an array, in fp64 and physical units.
std::vector<double> all_values(StoredArray& array);

/// One opened container: a Zarr store or one NetCDF file.
struct Dataset {
  std::string path;
  std::string container;                             ///< "Zarr 2", "Zarr 3", "NetCDF-3", "NetCDF-4"
  std::vector<std::unique_ptr<StoredArray>> arrays;  ///< numeric ones only
  std::vector<std::string> notes;  ///< for the user: what was left out or interpreted, and why
  std::string provenance;          ///< the global attribute `source`, "" when absent
  nlohmann::json attributes = nlohmann::json::object();    ///< global ones
  std::map<std::string, nlohmann::json> mappings;          ///< attributes of grid mapping variables, by name
  std::vector<std::string> groups;                         ///< paths of groups below; they are not read
  std::map<std::string, std::vector<std::string>> labels;  ///< arrays of texts with one dimension, by name
};

}  // namespace graticule

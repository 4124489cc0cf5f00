// An n-dimensional array as a container file holds it, before anything is known of latitudes: what the Zarr
// and the NetCDF reader offer, and what grid_source.h makes a Source of.
#pragma once

#include <cstddef>
#include <cstdint>
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

class StoredArray {
 public:
  virtual ~StoredArray() = default;
  const ArrayHeader& header() const { return header_; }
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
  std::vector<std::string> notes;                    ///< what was left out, and why
  std::string provenance;                            ///< the global attribute `source`, "" when absent
};

}  // namespace graticule

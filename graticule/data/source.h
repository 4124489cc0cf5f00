// A source is a data set in one canonical form, whatever file it lies in: fp32 fields in physical units on a
// (latitude, longitude) grid with south first and longitudes eastwards, from the smallest in [0, 360) or from
// a region's west edge; NaN where missing.
//
// Variables are named `name` (surface, static) or `name@level` in hPa (`temperature@850`), by WeatherBench's
// long names; the Climate Data Store's short names are translated (t -> temperature, t2m -> 2m_temperature).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "graticule/core/span.h"

namespace graticule {

struct Variable {
  std::string name;           ///< canonical, with @level
  std::string units;          ///< as the file has them; "" when absent
  std::string long_name;      ///< ditto
  std::string standard_name;  ///< ditto
  bool constant = false;      ///< has no time axis (orography, land_sea_mask)
};

/// What a source holds, read once when it is opened.
struct Catalog {
  std::string path;                ///< as the user gave it
  std::string container;           ///< "NetCDF-4", "Zarr 2", "synthetic", ...
  std::vector<double> latitudes;   ///< degrees north, ascending (Y)
  std::vector<double> longitudes;  ///< degrees east, ascending (X); below 0 west of 0 in a region across it
  std::vector<int64_t> times;      ///< seconds since 1970-01-01 UTC, ascending
  std::vector<Variable> variables;
  std::string
      provenance;  ///< where the data come from, by the file's attribute `source`; synthetic data say so
  bool latitude_descending =
      false;  ///< the order in the file, so that forecasts can be written back the same way
  std::vector<std::string> notes;  ///< what was left out, or is not taken as it seems, and why

  /// The variable's index, or a refusal that lists what is there and names the nearest.
  size_t index_of(const std::string& name) const;
};

/// How a variable lies in its file, for those who choose the order of reading.
struct Storage {
  std::string array;          ///< variables of one array, levels, share its chunks
  int64_t times = 1;          ///< that a chunk holds
  int64_t rows = 0;           ///< of the grid that a chunk holds; 0: all, or it does not matter
  int64_t bytes_of_time = 0;  ///< of all chunks that one time of the array, all levels, lies in, decoded
  bool whole = false;         ///< reading a part decodes all of a chunk
};

class Source {
 public:
  virtual ~Source() = default;
  virtual const Catalog& catalog() const = 0;
  virtual Storage storage_of(const std::string& variable) const { return {variable}; }
  /// Reads rows [rows.begin, rows.end) (south first) of one variable at one time index into `out`, row-major,
  /// rows.size() * longitudes.size() values. The time index is ignored for constants. One thread at a time.
  virtual void read(const std::string& variable, int64_t time_index, Span rows, std::span<float> out) = 0;
};

/// Refuses values that were read and cannot be used: `count` of `total`, of this `kind` ("missing",
/// "infinite"), naming variable, time and the way out.
[[noreturn]] void refuse_values(const Catalog& catalog, const std::string& variable, int64_t time_index,
                                int64_t count, size_t total, const char* kind, const char* way_out);

constexpr const char* way_out_of_infinite =
    "write NaN in their place (with data.missing = \"mean\" they then count nothing), or leave the variable "
    "out";

/// Opens a Zarr folder (format 2 or 3), a NetCDF file, a folder or glob pattern of NetCDF files, or
/// "synthetic:..." (see synthetic.h). Refuses what it cannot read, saying what it found there.
std::unique_ptr<Source> open_source(const std::string& path);

}  // namespace graticule

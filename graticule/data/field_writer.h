// Writes fields in WeatherBench's layout, streaming: dimensions time, [prediction_timedelta,] [level,]
// latitude, longitude; fp32, NaN where nothing was written. A path ending in .zarr becomes Zarr format 2
// (Blosc lz4, consolidated), one ending in .nc CF NetCDF-4. Written aside (PATH.partial) and renamed by
// `finish`, so nothing half-written remains.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "graticule/data/source.h"

namespace graticule {

struct FieldWriterOptions {
  std::string path;
  std::vector<double> latitudes;    ///< degrees north, ascending (Y)
  std::vector<double> longitudes;   ///< degrees east (X)
  std::vector<int64_t> times;       ///< seconds since 1970; of forecasts, their initial times
  std::vector<int> lead_hours;      ///< makes a dimension prediction_timedelta; empty: no such dimension
  std::vector<Variable> variables;  ///< `name@level` of one name share an array; constants have no time
  std::map<std::string, std::string> attributes;  ///< of the whole file: title, source, history ...
  bool latitude_descending = false;  ///< how rows lie in the file; `write` always takes south first
  int64_t time_chunk = 1;  ///< times a chunk: this many fields of each variable and lead wait in memory
};

class FieldWriter {
 public:
  /// Refuses another ending, a path that exists, a folder that does not. Fails where it cannot write.
  explicit FieldWriter(const FieldWriterOptions& options);
  /// Removes what was written aside, unless `finish` came first.
  ~FieldWriter();
  FieldWriter(const FieldWriter&) = delete;
  FieldWriter& operator=(const FieldWriter&) = delete;

  /// One field (Y X, south first), once each. Of constants the indices are ignored; without leads lead_index
  /// is 0.
  void write(const std::string& variable, int64_t time_index, int64_t lead_index,
             std::span<const float> field);
  /// Writes what still waits, closes, and gives the file its name.
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace graticule

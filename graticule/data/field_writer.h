// Writes fields one by one in WeatherBench's layout. Dimensions: time, [prediction_timedelta,] [level,]
// latitude, longitude. Cells have the dimension `cell` in place of these, with the coordinates `latitude`, `longitude` and
// `cell_area` along it. Images have the axes of their plane or volume in place of latitude and longitude, `sample`
// in place of time, and `step` in place of prediction_timedelta. Values are fp32, NaN where nothing was written. A path that ends in .zarr becomes Zarr
// format 2 (Blosc lz4, consolidated metadata), one that ends in .nc becomes CF NetCDF-4. The file is written
// as PATH.partial and renamed by `finish`, so no half-written file keeps the final name. Forecasts
// (train/forecast.cpp) and `data synth` use it. Legend: Y rows, X columns of the grid.
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
  std::vector<double> latitudes;            ///< degrees north, ascending (Y)
  std::vector<double> longitudes;           ///< degrees east (X)
  std::vector<ImageAxis> axes = {};         ///< of a plane or volume, which has no latitudes and longitudes
  std::shared_ptr<const Cells> cells = {};  ///< of a grid of cells, likewise (Y, one column)
  std::vector<int64_t> times;               ///< seconds since 1970; of forecasts, their initial times
  Calendar calendar = Calendar::gregorian;  ///< of the times
  std::vector<int> lead_hours;      ///< adds the dimension prediction_timedelta; empty: no such dimension
  std::vector<Variable> variables;  ///< `name@level` of one name share an array; constants have no time
  std::map<std::string, std::string> attributes;  ///< of the whole file: title, source, history ...
  bool latitude_descending = false;  ///< the order of rows in the file; `write` always takes south first
  int64_t time_chunk = 1;  ///< times in a chunk; so many fields of each variable and lead stay in memory
};

class FieldWriter {
 public:
  /// Refuses a path with another ending, a path that exists, and a folder that does not exist. Fails when the
  /// folder is not writable.
  explicit FieldWriter(const FieldWriterOptions& options);
  /// Removes the .partial file unless `finish` succeeded.
  ~FieldWriter();
  FieldWriter(const FieldWriter&) = delete;
  FieldWriter& operator=(const FieldWriter&) = delete;

  /// Takes one field (Y X, south first; Z Y X on a volume). Call it once for each field. Constants ignore both indices; without
  /// leads, lead_index is 0.
  void write(const std::string& variable, int64_t time_index, int64_t lead_index,
             std::span<const float> field);
  /// Writes the chunks that are still in memory, closes the file and gives it its final name. Fails when the
  /// disk refuses.
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace graticule

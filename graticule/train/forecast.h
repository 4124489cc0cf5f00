// Writes forecasts (roll-outs from one or many initial times) as CF NetCDF or Zarr, for `graticule forecast`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "graticule/comm/launch.h"
#include "graticule/train/run.h"

namespace graticule {

struct ForecastOptions {
  std::vector<int64_t> initial_times;  ///< seconds since 1970, ascending; must be in the data
  std::optional<int64_t> lead_hours;   ///< one of the recipe's; absent: its first
  int64_t steps = 1;
  std::string out;    ///< .nc or .zarr; must not exist
  std::string truth;  ///< file for the data at the same valid times, in the same layout; "" none
};

/// Writes the target variables at lead, 2 lead, ... after each initial time, in physical units and the data's
/// order of rows; NaN where a variable has no value at the initial time. Rank 0 collects one field at a time
/// and writes it. Before it computes, it refuses: an initial time that is not in the data (naming the
/// nearest), a lead that is not in the recipe, and steps beyond the data that forcings or truth need. Fails,
/// leaving no file, when the model gives a value that is not finite. Collective over the world.
void write_forecast(Run& run, const World& world, const ForecastOptions& options);

}  // namespace graticule

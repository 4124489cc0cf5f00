// Roll-outs from one or many times, written as CF NetCDF or Zarr.
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
  std::optional<int64_t> lead_hours;   ///< one of the recipe's; its first where absent
  int64_t steps = 1;
  std::string out;    ///< .nc or .zarr; must not exist
  std::string truth;  ///< the data at the same valid times, in the same layout; "" none
};

/// Writes the target variables at lead, 2 lead, ... after each initial time, in physical units, rows in the
/// data's order; NaN where a variable has no value at the initial time. One field at a time is brought
/// together on rank 0, which writes. Collective. Before anything is computed it refuses an initial time that
/// the data do not have, naming the nearest, a lead that is none of the recipe's, and steps for which
/// forcings or truth are not there. Fails, leaving no file, when the model gives a value that is not finite.
void write_forecast(Run& run, const World& world, const ForecastOptions& options);

}  // namespace graticule

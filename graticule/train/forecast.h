// A roll-out from one time, written as CF NetCDF or Zarr.
#pragma once

#include <string>

#include "graticule/comm/launch.h"
#include "graticule/train/run.h"

namespace graticule {

struct ForecastOptions {
  int64_t initial_time = 0;  ///< seconds since 1970; must be in the data
  int64_t steps = 1;
  std::string out;    ///< .nc or .zarr; must not exist
  std::string truth;  ///< the data at the same valid times, in the same layout; "" none
};

/// Writes the target variables at lead, 2 lead, ... in physical units, rows in the data's order. One field at
/// a time is brought together on rank 0, which writes. Collective. Refuses an initial time that the data do
/// not have, naming the nearest.
void write_forecast(Run& run, const World& world, const ForecastOptions& options);

}  // namespace graticule

// Opens a NetCDF file (classic or NetCDF-4) through GDAL's multidimensional API.
#pragma once

#include <string>

#include "graticule/data/stored_array.h"

namespace graticule {

/// Refuses a file of another kind, saying what it seems to be; fails on a damaged one.
Dataset open_netcdf(const std::string& file);

}  // namespace graticule

// Opens a GRIB file, edition 1 or 2, through GDAL: messages of one quantity become one array over times and
// levels. open_source calls it.
#pragma once

#include <memory>
#include <set>
#include <string>

#include "graticule/data/chunk_cache.h"
#include "graticule/data/stored_array.h"

namespace graticule {

/// Whether the file begins as GRIB.
bool is_grib(const std::string& file);

/// Opens a file of fields on regular latitudes and longitudes. Refuses any other grid, by name. Notes quantities
/// that are left out: of unknown levels, or not at every level and time. Fails on a file that is cut off.
Dataset open_grib(const std::string& file, const std::shared_ptr<ChunkCache>& cache);

/// Refuses a file with a message on another grid than regular latitudes and longitudes, with rows from east to west, or on
/// another grid than the first: GDAL reads all of these as if they were on the grid of the first message. Fails on a message that is cut off. Returns the packings of edition 2 that not every GDAL
/// reads, by name ("CCSDS").
std::set<std::string> check_grib_grids(const std::string& file);

}  // namespace graticule

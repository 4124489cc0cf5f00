// Opens a NetCDF file (classic in its three forms, or NetCDF-4) by the NetCDF library.
#pragma once

#include <memory>
#include <string>

#include "graticule/data/chunk_cache.h"
#include "graticule/data/netcdf_files.h"
#include "graticule/data/stored_array.h"

namespace graticule {

/// The group "/", or another of the file ("/a/b"), with the coordinates that it sees in the groups above it.
/// Refuses a file of another kind, saying what it seems to be; fails on a damaged one.
Dataset open_netcdf(const std::string& file, const std::string& group,
                    const std::shared_ptr<NetcdfFiles>& files, const std::shared_ptr<ChunkCache>& cache);

}  // namespace graticule

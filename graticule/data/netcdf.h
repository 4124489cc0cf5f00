// Opens a NetCDF file (the three classic forms, or NetCDF-4) with the NetCDF library. open_source calls it.
#pragma once

#include <memory>
#include <string>

#include "graticule/data/chunk_cache.h"
#include "graticule/data/netcdf_files.h"
#include "graticule/data/stored_array.h"

namespace graticule {

/// Opens the group "/" of `file`, or another group ("/a/b") together with the coordinates of the groups above
/// it. `files` keeps the file open; `cache` keeps its decoded chunks. Refuses a file of another kind and says
/// what it seems to be; fails on a damaged file.
Dataset open_netcdf(const std::string& file, const std::string& group,
                    const std::shared_ptr<NetcdfFiles>& files, const std::shared_ptr<ChunkCache>& cache);

}  // namespace graticule

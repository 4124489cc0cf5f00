// Opens the data in a zip archive: a Zarr store, or NetCDF files, as the Climate Data Store sends them when
// instantaneous and accumulated fields were asked for together. open_source calls it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "graticule/data/chunk_cache.h"
#include "graticule/data/netcdf_files.h"
#include "graticule/data/stored_array.h"

namespace graticule {

/// Opens folder or group `folder` of the archive ("" for all of it). A NetCDF file of an archive is held in
/// memory whole. Refuses an archive without either, and lists what it holds.
std::vector<Dataset> open_zip(const std::string& file, const std::string& folder,
                              const std::shared_ptr<NetcdfFiles>& files,
                              const std::shared_ptr<ChunkCache>& cache);

/// Whether a name is one of a NetCDF file (.nc, .nc4, .cdf, .netcdf).
bool is_netcdf_name(const std::string& name);

}  // namespace graticule

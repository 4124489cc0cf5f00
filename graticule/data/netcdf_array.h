// Arrays of a NetCDF file.
#pragma once

#include <memory>
#include <string>

#include "graticule/data/chunk_cache.h"
#include "graticule/data/netcdf_files.h"
#include "graticule/data/stored_array.h"

namespace graticule {

/// Where a variable lies; numbers of a file that is opened again stay the same but for the file's own.
struct NetcdfPlace {
  std::shared_ptr<NetcdfFiles> files;
  std::string path, group;  ///< the group's full name, "/" for the root
  int variable = 0;
};

/// The library's number of the place's group, its file opened where need be. The caller holds `netcdf_alone`.
int open_group(NetcdfFiles& files, const std::string& path, const std::string& group);

/// Compressed chunks are decoded into `cache`; of anything else only what is asked for is read. Refuses a
/// filter that this machine's HDF5 does not have, by name.
std::unique_ptr<StoredArray> open_netcdf_array(ArrayHeader header, NetcdfPlace place,
                                               const std::shared_ptr<ChunkCache>& cache);

}  // namespace graticule

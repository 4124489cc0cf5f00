// The arrays of a NetCDF file. netcdf.cpp makes them.
#pragma once

#include <memory>
#include <string>

#include "graticule/data/chunk_cache.h"
#include "graticule/data/netcdf_files.h"
#include "graticule/data/stored_array.h"

namespace graticule {

/// The place of a variable. `variable` is the library's number; it stays the same when the file is closed and
/// reopened.
struct NetcdfPlace {
  std::shared_ptr<NetcdfFiles> files;
  std::string path, group;  ///< the group's full name, "/" for the root
  int variable = 0;
};

/// The full name of a variable of `group`, as HDF5 takes it.
std::string path_in_file(const std::string& group, const std::string& name);

/// Opens `path` if necessary and returns the library's number of `group`. Refuses a group that does not
/// exist. The caller holds the lock of `netcdf_alone`.
int open_group(NetcdfFiles& files, const std::string& path, const std::string& group);

/// Makes the array at `place`. Compressed arrays decode whole chunks into `cache`; other arrays read only the
/// box that is asked for. Refuses, by name, a compression filter that this machine's HDF5 does not have.
std::unique_ptr<StoredArray> open_netcdf_array(ArrayHeader header, NetcdfPlace place,
                                               const std::shared_ptr<ChunkCache>& cache);

}  // namespace graticule

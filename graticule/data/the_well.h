// Simulations in the layout of The Well: an HDF5 file of trajectories, with scalar, vector and tensor fields in the
// groups t0_fields, t1_fields and t2_fields (the_well, docs/data_format.md).
#pragma once

#include <memory>
#include <string>

#include "graticule/data/chunk_cache.h"
#include "graticule/data/netcdf_files.h"
#include "graticule/data/stored_array.h"

namespace graticule {

/// Whether the root group of an HDF5 file is one of The Well.
bool is_the_well(const Dataset& root);

/// Opens the file whose root group is `root`. Each component of each field is an array (sample, step, and the
/// dimensions of space), as velocity_x; of a symmetric or antisymmetric tensor each component once. Fields that do not
/// change in time or between trajectories lack these dimensions. Notes tell the boundary conditions, and what was
/// left out. Refuses a field whose shape does not fit its attributes.
Dataset open_the_well(const Dataset& root, const std::shared_ptr<NetcdfFiles>& files,
                      const std::shared_ptr<ChunkCache>& cache);

}  // namespace graticule

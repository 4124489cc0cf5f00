// Volumes of medical imaging: NIfTI of format 1 and 2, a single file (.nii) or one that gzip packed (.nii.gz).
// Source: nifti1.h and nifti2.h of the NIfTI data format working group (nifti.nimh.nih.gov).
#pragma once

#include <memory>
#include <string>

#include "graticule/data/chunk_cache.h"
#include "graticule/data/stored_array.h"

namespace graticule {

/// Whether a name ends in .nii or .nii.gz.
bool is_nifti_name(const std::string& name);

/// Opens a local file as one array `name` with the dimensions (channel, t, z, y, x), the slowest first, without
/// those of size 1 in front. The coordinates x, y and z
/// are counted from 0 in the file's unit. A packed file is unpacked whole into `cache` when a part is read. Refuses pairs of files
/// (.hdr, .img) and numbers that are no real ones; fails on a damaged file.
Dataset open_nifti(const std::string& file, const std::string& name,
                   const std::shared_ptr<ChunkCache>& cache);

}  // namespace graticule

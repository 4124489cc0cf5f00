// Images of microscopy in OME-Zarr, version 0.4 (Zarr 2) and 0.5 (Zarr 3): one image at several levels of resolution,
// and labels of its pixels (ngff.openmicroscopy.org).
#pragma once

#include <memory>
#include <string>

#include "graticule/data/chunk_cache.h"
#include "graticule/data/key_store.h"
#include "graticule/data/stored_array.h"

namespace graticule {

/// Whether a group ("" for the root) of a store is an image of OME-Zarr.
bool is_ome_zarr(const KeyStore& store, const std::string& group);

/// Opens one level of the image, 0 the finest: an array `image`, or an array for each channel if the store names them
/// (omero), with the dimensions that the store names (t, c, z, y, x); and the same level of each of its labels, by the
/// name of the label. Coordinates are in the units of the axes. Refuses a level that does not exist, with the shapes
/// of those that do; fails on metadata against the specification.
Dataset open_ome_zarr(const Keys& store, const std::string& group, int64_t level,
                      const std::shared_ptr<ChunkCache>& cache);

}  // namespace graticule

// ClimaX's shards: a folder of YEAR_SHARD.npz files, each with one array (time, 1, latitude, longitude) a
// variable, and lat.npy and lon.npy beside them or one folder above
// (github.com/microsoft/ClimaX, src/data_preprocessing/nc2np_equally_era5.py).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "graticule/data/chunk_cache.h"
#include "graticule/data/stored_array.h"

namespace graticule {

/// Whether a local folder has such shards, itself or in its folders train, val and test.
bool is_climax(const std::string& folder);

/// Opens all shards. The files hold no times: a year's shards together have 8,760 hours from its first day on
/// (the last day of a leap year is left out), or 8,736 that end with the year, or fewer steps of equal length.
/// A note says what was taken. Refuses a year of which a shard is missing, and one of another length.
std::vector<Dataset> open_climax(const std::string& folder, const std::shared_ptr<ChunkCache>& cache);

}  // namespace graticule

// Stores of anemoi-datasets (Zarr): one array `data` (time, variable, ensemble, cell), its names in an
// attribute of the store. channels.cpp calls it. Source: anemoi-datasets 0.5.47, create/gridded/creator.py,
// usage/gridded/store.py.
#pragma once

#include "graticule/core/channel_layout.h"
#include "graticule/data/stored_array.h"

namespace graticule {

/// Whether the data set is such a store.
bool is_anemoi(const Dataset& data);

/// Replaces `data`, its dates and its places. Cells of a grid of latitudes and longitudes, row by row or column by
/// column, become one, as their coordinates say; others stay a list (data.grid = "cells"). Missing dates are left out.
/// Of an ensemble the member `layout.member` is read. Refuses trajectories and a store that is not finished, by name.
void split_anemoi(Dataset& data, const ChannelLayout& layout);

}  // namespace graticule

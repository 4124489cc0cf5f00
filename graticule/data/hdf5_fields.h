// HDF5 files with one array `fields` (time, channel, latitude, longitude), as makani writes them with
// coordinates, and PhysicsNeMo, FourCastNet and NERSC's tutorial without. channels.cpp calls it.
//
// Sources: makani data_process/{convert_wb2_to_makani_input,annotate_dataset,h5_convert}.py; physicsnemo
// datapipes/climate/era5_hdf5.py.
#pragma once

#include "graticule/core/channel_layout.h"
#include "graticule/data/stored_array.h"

namespace graticule {

/// Whether the data set is such a file.
bool is_hdf5_fields(const Dataset& data);

/// Replaces `fields` and its coordinates. Names come from `channel`, times from `timestamp` (seconds since
/// 1970), places from `lat` and `lon`; what is absent from `layout`. `valid_data` (time, channel) says with 0
/// which fields are missing: they are NaN; a time without any is left out. Refuses what neither has.
void split_hdf5_fields(Dataset& data, const ChannelLayout& layout);

}  // namespace graticule

// What the NetCDF library does not tell of an HDF5 file, read with HDF5 itself. Local files only. The caller
// holds the lock of `netcdf_alone` (netcdf_files.h).
#pragma once

#include <string>
#include <vector>

namespace graticule {

/// Refuses a virtual data set `array` of `file` (an array whose values are in other files, such as one over
/// files of a year each) when one of its source files is not there, and in a remote file. Accepts other
/// arrays. HDF5 would give the fill value (0) in its place without a message.
void require_virtual_sources(const std::string& file, const std::string& array);

/// The texts of an array of one dimension, of fixed or of any length. (The NetCDF library takes texts of
/// fixed length for pointers.) Nothing when the array holds no texts.
std::vector<std::string> read_hdf5_texts(const std::string& file, const std::string& array);

}  // namespace graticule

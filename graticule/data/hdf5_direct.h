// What the NetCDF library does not tell of an HDF5 file, read with HDF5 itself. Local files only. The caller
// holds the lock of `netcdf_alone` (netcdf_files.h).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "graticule/data/packing.h"

namespace graticule {

/// Refuses a virtual data set `array` of `file` (an array whose values are in other files, such as one over
/// files of a year each) when one of its source files is not there, and in a remote file. Accepts other
/// arrays. HDF5 would give the fill value (0) in its place without a message.
void require_virtual_sources(const std::string& file, const std::string& array);

/// The texts of an array of one dimension, of fixed or of any length. (The NetCDF library takes texts of
/// fixed length for pointers.) Nothing when the array holds no texts.
std::vector<std::string> read_hdf5_texts(const std::string& file, const std::string& array);

/// An attribute of a group or array, `object`: its texts, one or several (none where it is absent or holds no texts),
/// or its number, where a Boolean is 0 or 1 (nothing where it is absent or no single number).
std::vector<std::string> hdf5_texts_of(const std::string& file, const std::string& object,
                                       const char* attribute);
std::optional<double> hdf5_number_of(const std::string& file, const std::string& object,
                                     const char* attribute);

/// Where in `file` the values of an array begin that lie there in one run, row-major, as numbers of this machine of `type`.
/// Nothing for any other array (in chunks, compressed, in other files, of another byte order, cut off).
std::optional<size_t> offset_of_values(const std::string& file, const std::string& array, NumberType type);

}  // namespace graticule

// Why HDF5 cannot read a file that the NetCDF library only calls an "HDF error".
#pragma once

#include <string>

namespace graticule {

/// Throws HDF5's innermost reason for not reading the file, with the object that it is about if the file
/// itself opens, and the way out: std::invalid_argument if the file is for a newer HDF5, else
/// std::runtime_error. Called with HDF5 alone (netcdf_alone).
[[noreturn]] void fail_with_hdf5_reason(const std::string& path);

}  // namespace graticule

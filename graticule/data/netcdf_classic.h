// Checks the length of classic NetCDF files. The NetCDF library reads zeros, without an error, where such a
// file was cut off; so the length is compared with what the header says.
#pragma once

#include <string>

namespace graticule {

/// Fails when a classic file (CDF-1, -2, -5) is shorter than its header says. Refuses a file whose number of
/// records was never written.
void check_classic_size(const std::string& file);

}  // namespace graticule

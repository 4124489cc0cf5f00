// The NetCDF library pads a cut-off classic file with zeros without a word. So its length is compared with
// its header.
#pragma once

#include <string>

namespace graticule {

/// Fails when a classic file (CDF-1, -2, -5) is shorter than its header says.
void check_classic_size(const std::string& file);

}  // namespace graticule

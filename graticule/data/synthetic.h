// Synthetic data: an invented atmosphere (atmosphere.h) as a Source. It has any grid and any number of
// variables and times. Each field is computed when it is read; nothing is integrated or stored. A field
// depends only on its time, the seed and the grid. The data are called synthetic wherever they appear.
#pragma once

#include <memory>
#include <string>

#include "graticule/data/source.h"

namespace graticule {

struct SyntheticOptions {
  int64_t rows = 32;  ///< latitudes at the middles of equal bands: no row on a pole
  int64_t columns = 64;
  int64_t variables = 23;  ///< see atmosphere_variables
  int64_t times = 1460;
  int64_t step_hours = 6;
  int64_t start = 978307200;  ///< seconds since 1970: 2001-01-01
  uint64_t seed = 0;
};

/// Reads a text "synthetic" or
/// "synthetic:rows=32,columns=64,variables=23,times=1460,step_hours=6,start=2001-01-01,seed=0". Every key is
/// optional. Refuses an unknown key (and names the nearest), and a value that is no number or out of range.
SyntheticOptions parse_synthetic(const std::string& specification);

/// Makes the source. Refuses sizes out of range.
std::unique_ptr<Source> open_synthetic(const SyntheticOptions& options);
std::unique_ptr<Source> open_synthetic(const std::string& specification);

}  // namespace graticule

// `data synth`: a synthetic data set as a file.
#pragma once

#include <string>

#include "graticule/data/synthetic.h"

namespace graticule {

/// Writes the synthetic source to `out` (.zarr or .nc) in WeatherBench's layout. Memory: about 1 MB a
/// variable.
void write_synthetic(const SyntheticOptions& options, const std::string& out);

}  // namespace graticule

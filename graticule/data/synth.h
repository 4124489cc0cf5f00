// Writes a synthetic data set to a file, for `graticule data synth`.
#pragma once

#include <string>

#include "graticule/data/synthetic.h"

namespace graticule {

/// Writes the synthetic source to `out` (.zarr or .nc) in WeatherBench's layout. Memory: about 1 MiB for each
/// variable, or one field where a field is larger. Refuses sizes out of range and what FieldWriter refuses.
void write_synthetic(const SyntheticOptions& options, const std::string& out);

}  // namespace graticule

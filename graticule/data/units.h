// Compares units as files spell them. One unit has many spellings ("m s-1", "m/s", "m s**-1"). Units that
// only look alike (Pa and hPa, K and degC, 1 and %) are different. Nothing is converted here.
#pragma once

#include <string>

namespace graticule {

/// Whether two texts name the same unit. It knows blanks, long and short names, and the ways to write powers,
/// quotients and products. A text that it does not understand equals only itself. No unit ("") is the unit 1.
bool same_units(const std::string& a, const std::string& b);

}  // namespace graticule

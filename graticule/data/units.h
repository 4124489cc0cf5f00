// Units as files spell them. One unit has many spellings ("m s-1", "m/s", "m s**-1"); two units that look
// alike (Pa and hPa, K and degC, 1 and %) are two. Nothing is converted here.
#pragma once

#include <string>

namespace graticule {

/// Whether two texts name one unit, whatever their spelling: spaces around, long and short names, the ways to
/// write a power, a quotient and a product. What is not understood is equal to itself alone. No unit ("") is
/// the unit 1.
bool same_units(const std::string& a, const std::string& b);

}  // namespace graticule

#include "graticule/data/units.h"

namespace graticule {

bool same_units(std::string_view a, std::string_view b) { return a == b; }

}  // namespace graticule

// Units of measure as files spell them.
#pragma once

#include <string_view>

namespace graticule {

/// Whether two spellings mean one unit.
bool same_units(std::string_view a, std::string_view b);

}  // namespace graticule

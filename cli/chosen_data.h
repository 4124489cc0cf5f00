// What a command of `graticule data` reads: what its options name, or all that there is.
#pragma once

#include <string>
#include <vector>

#include "graticule/data/source.h"
#include "graticule/data/time.h"

namespace graticule {

/// The variables named, or all of the catalogue.
std::vector<std::string> chosen_variables(const std::vector<std::string>& named, const Catalog& catalog);

/// The range named (two times, or none), or that of all times; empty where there are none.
TimeRange chosen_range(const std::vector<std::string>& named, const Catalog& catalog);

}  // namespace graticule

// The rules of a recipe that concern several keys, or the length of a list. options.cpp checks them after reading.
#pragma once

#include <string>

#include "graticule/recipe/options.h"

namespace graticule {

/// Refuses values that contradict each other. `where` names the file in messages.
void check_rules(const Options& options, const std::string& where);

}  // namespace graticule

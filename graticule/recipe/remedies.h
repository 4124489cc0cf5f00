// What a user may change in a recipe so that a rank holds less.
#pragma once

#include <string>

#include "graticule/core/ledger.h"

namespace graticule {

/// The keys of a recipe that make the largest accounts of `booked` smaller, as the end of a sentence.
std::string leaner_than(const Booked& booked);

}  // namespace graticule

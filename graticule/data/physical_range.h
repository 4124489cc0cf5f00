// The values that a variable can have on Earth. field_check.cpp reports others: a wrong unit, a wrong fill
// value, damage that a codec did not notice.
#pragma once

#include <optional>

#include "graticule/data/source.h"

namespace graticule {

struct PhysicalRange {
  double low = 0, high = 0;     ///< both included, in the variable's units
  bool may_be_uniform = false;  ///< a field of one value is no sign of damage (no rain, no ice)
};

/// The range of a variable by its name, if it is known and its units are those expected. The ranges are wide:
/// records of the atmosphere from the ground to 0.1 hPa, with room.
std::optional<PhysicalRange> physical_range_of(const Variable& variable);

}  // namespace graticule

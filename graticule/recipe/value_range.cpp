#include "graticule/recipe/value_range.h"

#include <fmt/format.h>

#include <cmath>

namespace graticule {

bool ValueRange::holds(double value) const {
  const bool not_below = least_is_open ? value > least : value >= least;
  const bool not_above = most_is_open ? value < most : value <= most;
  return std::isfinite(value) && not_below && not_above;
}

std::string ValueRange::words() const {
  std::string ends;
  if (std::isfinite(least)) ends = fmt::format("{} {}", least_is_open ? "above" : "at least", least);
  if (std::isfinite(most)) {
    ends += fmt::format("{}{} {}", ends.empty() ? "" : " and ", most_is_open ? "below" : "at most", most);
  }
  return (ends.empty() ? "a finite number" : ends) + (note.empty() ? "" : "; " + note);
}

}  // namespace graticule

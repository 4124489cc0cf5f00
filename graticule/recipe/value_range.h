// The values that a number of the recipe may have.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <utility>

namespace graticule {

/// Finite numbers from `least` to `most`; an end belongs to them unless it is open.
struct ValueRange {
  double least = -std::numeric_limits<double>::infinity(), most = std::numeric_limits<double>::infinity();
  bool least_is_open = false, most_is_open = false;
  std::string note = {};  ///< what a special value means, or the way out

  bool holds(double value) const;
  /// "at least 0 and below 1", then the note.
  std::string words() const;
};

inline constexpr double most_int = std::numeric_limits<int32_t>::max();

inline ValueRange any_number() { return {}; }
inline ValueRange at_least(double least, std::string note = {}) {
  return {.least = least, .note = std::move(note)};
}
inline ValueRange above(double least) { return {.least = least, .least_is_open = true}; }
inline ValueRange between(double least, double most, std::string note = {}) {
  return {.least = least, .most = most, .note = std::move(note)};
}
/// [least, most).
inline ValueRange within(double least, double most) {
  return {.least = least, .most = most, .most_is_open = true};
}

}  // namespace graticule

// Ranges of values for the numbers of a recipe; recipe_fields.h uses them.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <utility>

namespace graticule {

/// The finite numbers from `least` to `most`. An end belongs to the range unless it is open.
struct ValueRange {
  double least = -std::numeric_limits<double>::infinity(), most = std::numeric_limits<double>::infinity();
  bool least_is_open = false, most_is_open = false;
  std::string note = {};  ///< added to messages: what a special value means, or what the user can do

  /// Whether the value is in the range.
  bool holds(double value) const;
  /// The range in words: "at least 0 and below 1"; then the note.
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
inline ValueRange within(double least, double most, std::string note = {}) {
  return {.least = least, .most = most, .most_is_open = true, .note = std::move(note)};
}

}  // namespace graticule

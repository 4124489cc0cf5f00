// How errors are thrown and worded. Every message has one form: `[where] what was received, what is allowed,
// the way out`. Three kinds: `refuse` (the user's mistake), `fail` (a failure of the machine),
// GRATICULE_CHECK (a bug of this program).
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace graticule {

/// Joins its arguments into one string, each as `operator<<` prints it.
template <class... Parts>
std::string text(const Parts&... parts) {
  std::ostringstream stream;
  (stream << ... << parts);
  return stream.str();
}

/// For a mistake of the user (usage, recipe, input data). Throws std::invalid_argument; the program exits
/// with code 2.
template <class... Parts>
[[noreturn]] void refuse(std::string_view where, const Parts&... parts) {
  throw std::invalid_argument(text("[", where, "] ", parts...));
}

/// For a failure of the machine (file, network, memory). Throws std::runtime_error; the program exits with
/// code 1.
template <class... Parts>
[[noreturn]] void fail(std::string_view where, const Parts&... parts) {
  throw std::runtime_error(text("[", where, "] ", parts...));
}

/// The name in `known` nearest to `unknown` by edit distance, or "" when `known` is empty. For "did you
/// mean".
std::string nearest_name(std::string_view unknown, const std::vector<std::string>& known);

}  // namespace graticule

/// For a bug of this program. Throws std::logic_error with the condition, the file and the line.
#define GRATICULE_CHECK(condition, ...)                                                        \
  do {                                                                                         \
    if (!(condition)) {                                                                        \
      throw std::logic_error(::graticule::text("[bug] ", __FILE__, ":", __LINE__,              \
                                               ": " #condition " is false. ", ##__VA_ARGS__)); \
    }                                                                                          \
  } while (false)

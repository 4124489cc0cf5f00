// Errors with one message style: `[where] what was received, what is allowed, the way out`.
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

/// The user's mistake (usage, recipe, input data): throws std::invalid_argument, exit code 2.
template <class... Parts>
[[noreturn]] void refuse(std::string_view where, const Parts&... parts) {
  throw std::invalid_argument(text("[", where, "] ", parts...));
}

/// The world's failure (file, network, memory): throws std::runtime_error, exit code 1.
template <class... Parts>
[[noreturn]] void fail(std::string_view where, const Parts&... parts) {
  throw std::runtime_error(text("[", where, "] ", parts...));
}

/// The known name nearest to `unknown` by edit distance, or "" when `known` is empty. For "did you mean".
std::string nearest_name(std::string_view unknown, const std::vector<std::string>& known);

}  // namespace graticule

/// Our own mistake: throws std::logic_error naming the condition and the place.
#define GRATICULE_CHECK(condition, ...)                                                        \
  do {                                                                                         \
    if (!(condition)) {                                                                        \
      throw std::logic_error(::graticule::text("[bug] ", __FILE__, ":", __LINE__,              \
                                               ": " #condition " is false. ", ##__VA_ARGS__)); \
    }                                                                                          \
  } while (false)

// Prints a value of a TOML file, for messages.
#pragma once

#include <sstream>
#include <string>

#include "graticule/recipe/toml.h"

namespace graticule {

/// The value as it is written in a file; a table is in braces.
inline std::string printed(const toml::node& node) {
  std::ostringstream stream;
  node.visit([&](const auto& value) {
    if constexpr (toml::is_table<decltype(value)>)
      stream << toml::toml_formatter{value};
    else
      stream << value;
  });
  return stream.str();
}

}  // namespace graticule

// A value of a TOML file as text, for messages.
#pragma once

#include <toml++/toml.h>

#include <sstream>
#include <string>

namespace graticule {

/// As it would stand in a file; a table within braces.
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

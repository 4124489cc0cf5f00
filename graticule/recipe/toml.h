// Reads TOML files. Include this header and not toml++ itself.
#pragma once

#include <stdexcept>
#include <string>

namespace graticule {

/// Throws std::logic_error.
[[noreturn]] inline void broken_toml(const char* condition) { throw std::logic_error(condition); }

}  // namespace graticule

// toml++ 3.3.0 aborts the process at some broken files, where its parser does not expect what it finds.
#define TOML_ASSERT(condition) (static_cast<bool>(condition) ? void() : ::graticule::broken_toml(#condition))
#include <toml++/toml.h>

namespace graticule {

/// The table of a TOML text. Refuses a text that is no TOML, as "[where] ...".
toml::table parse_toml(const std::string& text, const std::string& where);

}  // namespace graticule

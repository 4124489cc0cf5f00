#include "graticule/recipe/toml.h"

#include "graticule/core/error.h"

namespace graticule {

toml::table parse_toml(const std::string& text, const std::string& where) {
  try {
    return toml::parse(text, where);
  } catch (const toml::parse_error& error) {
    refuse(where, error.description(), " (line ", error.source().begin.line, ", column ",
           error.source().begin.column, "): correct the TOML there");
  } catch (const std::logic_error&) {  // broken_toml
    refuse(where, "its end or a key is no TOML: correct the last line and the lines with brackets");
  }
}

}  // namespace graticule

#include "cli/chosen_data.h"

namespace graticule {

std::vector<std::string> chosen_variables(const std::vector<std::string>& named, const Catalog& catalog) {
  if (!named.empty()) return named;
  std::vector<std::string> all;
  for (const Variable& variable : catalog.variables) all.push_back(variable.name);
  return all;
}

TimeRange chosen_range(const std::vector<std::string>& named, const Catalog& catalog) {
  if (!named.empty()) return parse_time_range(named[0], named[1], catalog.calendar);
  return catalog.times.empty() ? TimeRange{} : TimeRange{catalog.times.front(), catalog.times.back()};
}

}  // namespace graticule

#include "graticule/data/channel_names.h"

#include <set>

namespace graticule {

std::vector<std::string> distinct_names(std::vector<std::string> names, int64_t count) {
  const std::set<std::string> different(names.begin(), names.end());
  if (std::ssize(names) != count || different.size() != names.size() || different.contains("")) names.clear();
  return names;
}

}  // namespace graticule

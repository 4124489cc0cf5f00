// The names of channels or bands, where a file tells them apart.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace graticule {

/// `names` if there are `count` of them, none is empty, and each is another one; otherwise none.
std::vector<std::string> distinct_names(std::vector<std::string> names, int64_t count);

}  // namespace graticule

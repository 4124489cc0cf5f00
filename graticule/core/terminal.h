// Lines that fit one row of a terminal, so that they can be rewritten in place.
#pragma once

#include <sys/ioctl.h>

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

namespace graticule {

/// The characters that one row of the terminal at `descriptor` holds without wrapping; no limit where its width
/// is not known.
inline size_t row_width(int descriptor) {
  winsize size = {};
  const bool known = ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col - 1U : std::numeric_limits<size_t>::max();
}

/// The first parts of a line, joined by two spaces: as many as fit into `width`, and at least the first.
inline std::string joined_parts(const std::vector<std::string>& parts, size_t width) {
  std::string line = parts.at(0);
  for (size_t i = 1; i < parts.size() && line.size() + 2 + parts[i].size() <= width; ++i)
    line += "  " + parts[i];
  return line.substr(0, std::min(line.size(), width));
}

}  // namespace graticule

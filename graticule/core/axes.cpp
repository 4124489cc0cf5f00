#include "graticule/core/axes.h"

#include "graticule/core/error.h"

namespace graticule {

int Axes::degree(Axis axis) const {
  return std::array{pipeline, data, context, ulysses, tensor}[static_cast<size_t>(axis)];
}

int Axes::coordinate(Axis axis, int rank) const {
  int stride = 1;
  for (auto it = all_axes.rbegin(); *it != axis; ++it) stride *= degree(*it);
  return rank / stride % degree(axis);
}

std::string described(const Axes& axes) {
  std::string line;
  for (const Axis axis : all_axes) {
    if (axes.degree(axis) > 1) line += text(line.empty() ? "" : " x ", name_of(axis), " ", axes.degree(axis));
  }
  return line.empty() ? "data 1" : line;
}

}  // namespace graticule

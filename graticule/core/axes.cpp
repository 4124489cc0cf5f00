#include "graticule/core/axes.h"

#include "graticule/core/error.h"

namespace graticule {

std::string_view name_of(Axis axis) {
  switch (axis) {
    case Axis::pipeline: return "pipeline";
    case Axis::data: return "data";
    case Axis::context: return "context";
    case Axis::ulysses: return "ulysses";
    case Axis::tensor: return "tensor";
  }
  GRATICULE_CHECK(false, "axis ", static_cast<int>(axis));
}

int Axes::degree(Axis axis) const {
  return std::array{pipeline, data, context, ulysses, tensor}[static_cast<size_t>(axis)];
}

int Axes::coordinate(Axis axis, int rank) const {
  int stride = 1;
  for (auto it = all_axes.rbegin(); *it != axis; ++it) stride *= degree(*it);
  return rank / stride % degree(axis);
}

}  // namespace graticule

#include "graticule/data/stored_array.h"

#include <numeric>

namespace graticule {

std::vector<size_t> row_major(size_t rank) {
  std::vector<size_t> order(rank);
  std::iota(order.begin(), order.end(), size_t{0});
  return order;
}

bool describes_axes(const ArrayHeader& header) {
  return header.shape.empty() || (header.shape.size() == 1 && header.name == header.dimensions[0]);
}

}  // namespace graticule

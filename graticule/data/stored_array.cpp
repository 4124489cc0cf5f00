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

std::vector<double> all_values(StoredArray& array) {
  const ArrayHeader& header = array.header();
  std::vector<Span> box;
  size_t count = 1;
  for (const int64_t n : header.shape) {
    box.push_back({0, n});
    count *= static_cast<size_t>(n);
  }
  std::vector<std::byte> stored(count * size_of(header.type));
  array.read(box, stored);
  return unpack_doubles(stored, header.type, header.packing);
}

}  // namespace graticule

#include "graticule/data/stored_array.h"

#include <numeric>

#include "graticule/core/error.h"

namespace graticule {

std::string sizes_in_words(const std::vector<int64_t>& sizes) {
  std::string words;
  for (const int64_t size : sizes) words += (words.empty() ? "" : " x ") + std::to_string(size);
  return words;
}

size_t bytes_of(const ArrayHeader& header) {
  size_t bytes = size_of(header.type);
  for (const int64_t n : header.shape) bytes *= static_cast<size_t>(n);
  return bytes;
}

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
  double count = 1;
  for (const int64_t n : header.shape) {
    box.push_back({0, n});
    count *= static_cast<double>(n);
  }
  constexpr double most = 1 << 28;
  if (count > most)
    refuse("source", header.file, ": ", header.name, " has ", count,
           " values, more than a coordinate can have");
  std::vector<std::byte> stored(static_cast<size_t>(count) * size_of(header.type));
  array.read(box, stored);
  return unpack_doubles(stored, header.type, header.packing);
}

}  // namespace graticule

#include "graticule/core/span.h"

#include <algorithm>

#include "graticule/core/error.h"

namespace graticule {

Span span_of(int64_t n, int64_t parts, int64_t index) {
  GRATICULE_CHECK(n >= 0 && parts > 0 && index >= 0 && index < parts, "span ", index, " of ", parts, " over ",
                  n);
  const int64_t base = n / parts, larger = n % parts;
  const int64_t begin = index * base + std::min(index, larger);
  return {begin, begin + base + (index < larger ? 1 : 0)};
}

std::vector<int64_t> span_sizes(int64_t n, int64_t parts) {
  std::vector<int64_t> sizes;
  for (int64_t i = 0; i < parts; ++i) sizes.push_back(span_of(n, parts, i).size());
  return sizes;
}

Span intersect(const Span& a, const Span& b) {
  const int64_t begin = std::max(a.begin, b.begin);
  return {begin, std::max(begin, std::min(a.end, b.end))};
}

}  // namespace graticule

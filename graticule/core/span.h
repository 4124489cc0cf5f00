// The one split of n items (tokens, heads, rows, layers, parameters) over p ranks. Parts are contiguous and
// in rank order; their sizes differ by at most one, and the larger ones come first. Nothing is padded. Every
// room uses this function.
#pragma once

#include <cstdint>
#include <vector>

namespace graticule {

/// A half-open range [begin, end) of global indices.
struct Span {
  int64_t begin = 0;
  int64_t end = 0;
  int64_t size() const { return end - begin; }
  bool empty() const { return end <= begin; }
  bool operator==(const Span&) const = default;
};

/// Part `index` in [0, parts) of the range [0, n). Sizes may be 0.
Span span_of(int64_t n, int64_t parts, int64_t index);

/// The sizes of all parts, in order; they sum to n.
std::vector<int64_t> span_sizes(int64_t n, int64_t parts);

/// The intersection of two ranges; an empty range (begin == end) when they share nothing.
Span intersect(const Span& a, const Span& b);

}  // namespace graticule

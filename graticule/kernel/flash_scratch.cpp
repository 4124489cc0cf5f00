// Legend: flash_cpu.cpp.
#include "graticule/kernel/flash_scratch.h"

#include <algorithm>
#include <numeric>

#include "graticule/core/choices.h"
#include "graticule/kernel/flash_cpu.h"

namespace graticule {

int64_t queries_a_task(const FlashTiles& tiles, int64_t heads, int64_t queries, int64_t threads) {
  const int64_t wanted = threads == 1 ? 1 : 4 * threads;
  int64_t group = tiles.group;
  while (group > tiles.panel && heads * ceil_div(queries, group) < wanted) group /= 2;
  return group;
}

// Counts packed keys and values, and for each thread the scratch of its products.
int64_t forward_scratch(const FlashTiles& tiles, const FlashSizes& x, int64_t threads) {
  const int64_t R = x.heads / x.groups, together = std::min(x.batch * x.groups, threads);
  const int64_t blocks = ceil_div(x.keys, tiles.block);
  const int64_t width = tiles.rounded(x.width);
  const int64_t packed = together * (tiles.rounded(x.keys) * units(width, tiles.pair) +
                                     blocks * width * units(tiles.block, tiles.pair));
  const int64_t queries = queries_a_task(tiles, together * R, x.queries, threads);
  const int64_t tasks = together * R * ceil_div(x.queries, queries);
  return fp32_bytes * (packed + std::min(tasks, threads) * tiles.forward_scratch(queries, x.width));
}

// Counts, for a range of queries, q and dout by rows and by columns, two numbers for each query, and dq; then
// dk and dv; and the scratch of each thread for products or writing, whichever is larger.
int64_t backward_scratch(const FlashTiles& tiles, const FlashSizes& x, int64_t threads) {
  const int64_t R = x.heads / x.groups, together = std::min(x.batch * x.groups, threads);
  const int64_t queries = ceil_div(x.queries, ceil_div(x.queries, most_backward_queries));
  const int64_t blocks = ceil_div(queries, tiles.block), panels = ceil_div(x.keys, tiles.panel);
  const int64_t width = tiles.rounded(x.width), tokens = tiles.rounded(queries);
  const int64_t rows = tokens * units(width, tiles.pair),
                columns = blocks * width * units(tiles.block, tiles.pair);
  const int64_t head = 2 * rows + 2 * columns + tokens * (2 + tiles.accumulator_width(x.width));
  const int64_t packed = together * (R * head + 2 * panels * width * tiles.panel);
  const int64_t parts = std::min({threads / std::gcd(together, threads), blocks, panels});
  const int64_t writing = std::min(together * panels, threads) * tiles.write_scratch(x.width);
  const int64_t multiplying = std::min(together * parts, threads) * tiles.backward_scratch(x.width);
  return fp32_bytes * (packed + std::max(writing, multiplying));
}

}  // namespace graticule

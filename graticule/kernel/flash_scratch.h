// What the tile kernels allocate besides their results (flash_cpu.h), from sizes alone.
#pragma once

#include "graticule/kernel/flash_tiles.h"

namespace graticule {

/// q [batch, queries, heads, width], k and v [batch, keys, groups, width]; none of them empty.
struct FlashSizes {
  int64_t batch, queries, heads, keys, groups, width;
};

/// Queries a forward task takes of `heads` heads: fewer than tiles.group when that leaves threads without
/// work.
int64_t queries_a_task(const FlashTiles& tiles, int64_t heads, int64_t queries, int64_t threads);

/// Bytes at the fullest moment.
int64_t forward_scratch(const FlashTiles& tiles, const FlashSizes& sizes, int64_t threads);
int64_t backward_scratch(const FlashTiles& tiles, const FlashSizes& sizes, int64_t threads);

}  // namespace graticule

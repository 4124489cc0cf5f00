// The bytes that the tile kernels allocate besides their results (flash_cpu.h), computed from sizes.
// graticule/footprint counts memory by it, and flash_cpu.cpp cuts its tasks by queries_a_task.
#pragma once

#include "graticule/kernel/flash_tiles.h"

namespace graticule {

/// The sizes of one call: q [batch, queries, heads, width], k and v [batch, keys, groups, width]. None is 0.
struct FlashSizes {
  int64_t batch, queries, heads, keys, groups, width;
};

/// The queries of one forward task, for `heads` heads: tiles.group, or fewer when that would leave threads
/// without work.
int64_t queries_a_task(const FlashTiles& tiles, int64_t heads, int64_t queries, int64_t threads);

/// The most bytes allocated at one time.
int64_t forward_scratch(const FlashTiles& tiles, const FlashSizes& sizes, int64_t threads);
int64_t backward_scratch(const FlashTiles& tiles, const FlashSizes& sizes, int64_t threads);

}  // namespace graticule

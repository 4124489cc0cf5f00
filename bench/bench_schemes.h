// `graticule bench attention --scheme ...` over the ranks it is started on: one scheme against the kernel
// alone.
#pragma once

#include <string>

#include "bench/attention_speed.h"
#include "graticule/attention/attention.h"
#include "graticule/comm/launch.h"

namespace graticule {

struct SchemeBench {
  AttentionSpeedOptions sizes;         ///< `tokens` of all ranks
  std::string dtype;                   ///< its name, as printed
  std::string scheme;                  ///< ulysses, lss, ring or hybrid
  std::string context_method = "lss";  ///< of hybrid
  int64_t ulysses = 2;                 ///< ranks of hybrid's ulysses axis
  int64_t key_heads = 0;               ///< 0: as many as query heads
  int64_t head_groups = 1, gather_heads = 0;
  bool exchange_again = false;
  bool json = false;
};

/// First checks the scheme against one rank on a small case, out and gradients (std::runtime_error when it is
/// wrong), then times it and the kernel on the same share of the work in turns, and prints medians of the
/// slowest rank. Collective.
int run_bench_schemes(const SchemeBench& bench, const World& world);

}  // namespace graticule

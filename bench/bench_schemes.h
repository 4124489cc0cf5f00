// The command `graticule bench attention --scheme NAME`. It times one scheme of attention over all ranks
// beside the kernel alone on the same amount of work a rank.
#pragma once

#include <string>

#include "bench/attention_speed.h"
#include "graticule/attention/attention.h"
#include "graticule/comm/launch.h"

namespace graticule {

struct SchemeBench {
  AttentionSpeedOptions sizes;         ///< `tokens`: of all ranks together
  std::string dtype;                   ///< name of sizes.dtype, for the report
  std::string scheme;                  ///< ulysses, lss, ring, mesh or hybrid
  std::string context_method = "lss";  ///< hybrid: lss, ring or mesh
  int64_t ulysses = 2;                 ///< hybrid: degree of its ulysses axis
  int64_t key_heads = 0;               ///< key/value heads; 0: as many as query heads
  int64_t mesh_rows = 0;               ///< mesh: rows of the grid; 0: chosen by counting bytes
  int64_t head_groups = 1, gather_heads = 0;
  bool exchange_again = false;
  bool json = false;
};

/// First compares the scheme with one rank on a small case, output and gradients (std::runtime_error if it is
/// wrong). Then times the scheme and the kernel in turns, and prints medians of the slowest rank. Returns the
/// exit code. Collective.
int run_bench_schemes(const SchemeBench& bench, const World& world);

}  // namespace graticule

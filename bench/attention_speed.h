// Times attention on this processor: our kernel, ATen's flash kernel, and the matrix products alone in the
// same shapes. A *turn* times each of them once; all numbers are medians of the turns. Used by `graticule
// bench attention` and, for its inputs' sizes, by bench_schemes.h.
//
// Legend: B batch, T tokens, H heads, D head width.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

namespace graticule {

struct AttentionSpeedOptions {
  int64_t batch = 1, heads = 4, tokens = 8192, width = 64, repeats = 5;
  at::ScalarType dtype = at::kBFloat16;
  bool backward = false;
};

/// Forward or backward. Forward counts as 4 B H T T D operations, backward as 10 B H T T D.
struct DirectionSpeed {
  double seconds = 0, gflops = 0;            ///< our kernel
  double aten_seconds = 0, aten_gflops = 0;  ///< ATen's flash kernel
  double ratio = 0;                          ///< ATen's seconds / ours
  std::optional<double>
      products_gflops;          ///< products alone, by oneDNN's brgemm on tiles; nothing where it cannot run
  std::optional<double> share;  ///< our rate / products_gflops
};

struct AttentionSpeed {
  DirectionSpeed forward;
  std::optional<DirectionSpeed> backward;
  bool products_are_fp32 = false;  ///< products alone were timed in fp32, else in bf16
};

/// First compares our kernel with the formula in fp64 on at most 257 tokens (std::runtime_error if it is
/// wrong). Then times `repeats` turns, with the current number of threads. Refuses sizes below 1 and what
/// flash_forward refuses.
AttentionSpeed measure_attention(const AttentionSpeedOptions& options);

}  // namespace graticule

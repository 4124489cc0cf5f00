// Attention on this processor, timed in turns: ours, ATen's, and the bare matrix products of the same shapes.
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

/// One direction. Rates count 4 B H T T D operations forward and 10 B H T T D backward.
struct DirectionSpeed {
  double seconds = 0, gflops = 0;            ///< ours, median
  double aten_seconds = 0, aten_gflops = 0;  ///< ATen's flash kernel, median
  double ratio = 0;                          ///< ATen's time over ours, median of the turns
  std::optional<double>
      products_gflops;          ///< oneDNN's brgemm on the tiles of this direction; nothing where it has none
  std::optional<double> share;  ///< our rate over that, median of the turns
};

struct AttentionSpeed {
  DirectionSpeed forward;
  std::optional<DirectionSpeed> backward;
  bool products_are_fp32 = false;  ///< bf16 or fp16 inputs on a processor that multiplies them as fp32
};

/// First checks ours against the formula in fp64 on at most 257 tokens of the same shape (std::runtime_error
/// when it is wrong), then times `repeats` turns with the current number of threads. Refuses sizes below 1
/// and what flash_forward refuses.
AttentionSpeed measure_attention(const AttentionSpeedOptions& options);

}  // namespace graticule

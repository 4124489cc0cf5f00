// Our CPU kernels: exact attention by register tiles, with bounded memory. Legend: flash.h. The inputs are
// checked already.
//
// Memory besides the results, in bytes, for `pairs` = min(B G, threads) key/value heads at a time:
//   forward   8 pairs S D (K, and V transposed) + a constant a thread
//   backward  pairs (20 (H/G) t D + 8 S D) (Q and dout in both orders; fp32 sums of dq, dk, dv)
//             + a constant a thread; t = T up to 65,536, and beyond it less: queries are taken in ranges
// Half of that for the packed operands on a processor that multiplies bf16 itself.
//
// Deterministic: for the same inputs and thread count each sum runs in the same order.
//
// Tensors without memory (meta) are allocated and freed as others are, packed operands too, and nothing is
// computed: so the allocations of a dry run are those of this processor, or of others (stand_in.h).
// flash_scratch.h counts them from sizes.
#pragma once

#include <ATen/core/Tensor.h>

#include "graticule/kernel/flash.h"

namespace graticule {

struct FlashTiles;

/// What the processor offers, slowest first.
enum class CpuLevel { aten, avx2, avx512, avx512_bf16 };

/// The best level for this dtype on this processor, found at run time. bf16 products are used where a
/// processor has AVX-512 BF16 without AMX (there fp32 is half as fast); fp16, and bf16 elsewhere, are widened
/// to fp32 while packing.
CpuLevel cpu_level(at::ScalarType dtype);

/// Whether this processor says that it has the instructions of a level.
bool cpu_runs(CpuLevel level);

/// The tile kernels of a level, to be used where cpu_runs says so; nothing for `aten`, or where the build has
/// none.
const FlashTiles* cpu_tiles(CpuLevel level);

/// Queries of a head that a backward packs at a time; each range costs packing the keys again.
constexpr int64_t most_backward_queries = 65'536;

/// `result`: the dtype of out, or of the gradients; default that of q.
FlashResult flash_cpu_forward(const FlashTiles& tiles, const at::Tensor& q_BTHD, const at::Tensor& k_BSGD,
                              const at::Tensor& v_BSGD, double scale,
                              std::optional<at::ScalarType> result = std::nullopt);

FlashGradients flash_cpu_backward(const FlashTiles& tiles, const at::Tensor& dout_BTHD,
                                  const at::Tensor& q_BTHD, const at::Tensor& k_BSGD,
                                  const at::Tensor& v_BSGD, const at::Tensor& out_BTHD,
                                  const at::Tensor& lse_BHT, double scale,
                                  const std::optional<at::Tensor>& dlse_BHT,
                                  std::optional<at::ScalarType> result = std::nullopt,
                                  int64_t most_queries = most_backward_queries);

}  // namespace graticule

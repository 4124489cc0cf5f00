// Our CPU kernels: exact attention by register tiles, with bounded memory. flash.cpp calls them and has
// checked the inputs. Legend: flash.h.
//
// Memory besides the results, in bytes, for `pairs` = min(B G, threads) key/value heads at a time:
//   forward   8 pairs S D                          K, and V transposed
//             + a constant for each thread
//   backward  pairs (20 (H/G) t D + 8 S D)         Q and dout in both orders; fp32 sums of dq, dk, dv
//             + a constant for each thread         t = T up to 65,536; beyond, queries are taken in ranges
// Packed operands take half of that on a processor that multiplies bf16 itself.
//
// The kernels are deterministic: for the same inputs and number of threads, every sum runs in the same order.
//
// With meta tensors (tensors without memory) they allocate and free as with other tensors, also packed
// operands, and compute nothing. So a dry run has the allocations of this processor, or of another one
// (stand_in.h). flash_scratch.h counts the same bytes from sizes.
#pragma once

#include <ATen/core/Tensor.h>

#include "graticule/kernel/flash.h"

namespace graticule {

struct FlashTiles;

/// The kernels that a processor can run, the slowest first; `aten` means none of ours.
enum class CpuLevel { aten, avx2, avx512, avx512_bf16, amx };

/// The best level for this dtype on this processor, found at run time. For bf16: AMX, or else bf16 products with
/// AVX-512 BF16 (fp32 products there are half as fast). Otherwise bf16, and always fp16, is widened to fp32
/// during packing. ATen's environment variable ATEN_CPU_CAPABILITY=avx2 limits this choice too.
CpuLevel cpu_level(at::ScalarType dtype);

/// Whether this processor has the instructions of a level.
bool cpu_runs(CpuLevel level);

/// The tile kernels of a level; run them only if cpu_runs(level). Null for `aten`, and when the build has
/// none.
const FlashTiles* cpu_tiles(CpuLevel level);

/// The most queries of a head that a backward packs at a time. For each such range the keys are packed again.
constexpr int64_t most_backward_queries = 65'536;

/// The forward of flash.h. `result`: the dtype of out; default: that of q.
FlashResult flash_cpu_forward(const FlashTiles& tiles, const at::Tensor& q_BTHD, const at::Tensor& k_BSGD,
                              const at::Tensor& v_BSGD, double scale,
                              std::optional<at::ScalarType> result = std::nullopt);

/// The backward of flash.h. `result`: the dtype of the gradients; default: that of q.
FlashGradients flash_cpu_backward(const FlashTiles& tiles, const at::Tensor& dout_BTHD,
                                  const at::Tensor& q_BTHD, const at::Tensor& k_BSGD,
                                  const at::Tensor& v_BSGD, const at::Tensor& out_BTHD,
                                  const at::Tensor& lse_BHT, double scale,
                                  const std::optional<at::Tensor>& dlse_BHT,
                                  std::optional<at::ScalarType> result = std::nullopt,
                                  int64_t most_queries = most_backward_queries);

}  // namespace graticule

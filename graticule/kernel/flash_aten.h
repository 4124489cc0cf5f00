// Attention by ATen's own kernels: for a CPU without a tile kernel of ours, and for what we are measured
// against. Legend: flash.h. The inputs are checked already.
#pragma once

#include <ATen/core/Tensor.h>

#include "graticule/kernel/flash.h"
#include "graticule/kernel/flash_scratch.h"

namespace graticule {

/// `at::_scaled_dot_product_flash_attention_for_cpu`. Grouped K/V heads are repeated in memory, for this
/// kernel has none.
FlashResult flash_aten_forward(const at::Tensor& q_BTHD, const at::Tensor& k_BSGD, const at::Tensor& v_BSGD,
                               double scale);

/// Its backward. ATen takes no gradient of the log-sum-exp; by ds_ij = p_ij dlse_i that part is the backward
/// of an attention whose values are the first unit vector, whose dout is dlse in that place, and whose out is
/// zero: a second call.
FlashGradients flash_aten_backward(const at::Tensor& dout_BTHD, const at::Tensor& q_BTHD,
                                   const at::Tensor& k_BSGD, const at::Tensor& v_BSGD,
                                   const at::Tensor& out_BTHD, const at::Tensor& lse_BHT, double scale,
                                   const std::optional<at::Tensor>& dlse_BHT);

/// What ATen's kernels allocate besides their results, bytes, as many key as query heads; `element`: bytes of
/// one of q. What a thread's products take for an instant is left out.
int64_t aten_forward_scratch(const FlashSizes& sizes, int64_t element, int64_t threads);
int64_t aten_backward_scratch(const FlashSizes& sizes, int64_t element, int64_t threads);

/// Repeats each of the G heads H/G times, in order: [B, S, G, D] -> [B, S, H, D].
at::Tensor repeat_heads(const at::Tensor& x_BSGD, int64_t heads);

/// The transpose of repeat_heads: sums each group of heads, in fp32.
at::Tensor sum_heads(const at::Tensor& x_BSHD, int64_t groups);

/// The (dout, v, out) that turn a backward into the gradient of the log-sum-exp alone (see
/// flash_aten_backward).
struct LseInputs {
  at::Tensor dout_BTHD, v_BSGD, out_BTHD;
};
LseInputs lse_inputs(const at::Tensor& dlse_BHT, const at::Tensor& v_BSGD, const at::Tensor& out_BTHD);

}  // namespace graticule

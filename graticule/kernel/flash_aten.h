// Attention by ATen's CPU kernel: for a CPU without tile kernels of ours, and as the reference that
// benchmarks compare with. flash.cpp has checked the inputs. Legend: flash.h.
#pragma once

#include <ATen/core/Tensor.h>

#include "graticule/kernel/flash.h"
#include "graticule/kernel/flash_scratch.h"

namespace graticule {

/// The forward, by `at::_scaled_dot_product_flash_attention_for_cpu`. That kernel has no grouped K/V heads,
/// so they are repeated in memory.
FlashResult flash_aten_forward(const at::Tensor& q_BTHD, const at::Tensor& k_BSGD, const at::Tensor& v_BSGD,
                               double scale);

/// Its backward. ATen takes no gradient of the log-sum-exp, so dlse_BHT costs a second call. Its part is
/// ds_ij = p_ij dlse_i: the backward of an attention whose values are the first unit vector, whose dout is
/// dlse in that component, and whose out is zero.
FlashGradients flash_aten_backward(const at::Tensor& dout_BTHD, const at::Tensor& q_BTHD,
                                   const at::Tensor& k_BSGD, const at::Tensor& v_BSGD,
                                   const at::Tensor& out_BTHD, const at::Tensor& lse_BHT, double scale,
                                   const std::optional<at::Tensor>& dlse_BHT);

/// Bytes that ATen's kernels allocate besides their results, for as many key heads as query heads. `element`:
/// bytes of one number of q. Short-lived buffers of a thread's products are not counted.
int64_t aten_forward_scratch(const FlashSizes& sizes, int64_t element, int64_t threads);
int64_t aten_backward_scratch(const FlashSizes& sizes, int64_t element, int64_t threads);

/// Repeats each of the G heads H/G times, in order: [B, S, G, D] -> [B, S, H, D].
at::Tensor repeat_heads(const at::Tensor& x_BSGD, int64_t heads);

/// The transpose of repeat_heads: sums each group of heads, in fp32.
at::Tensor sum_heads(const at::Tensor& x_BSHD, int64_t groups);

/// The dout, v and out for which a backward gives the gradient of the log-sum-exp only (see
/// flash_aten_backward).
struct LseInputs {
  at::Tensor dout_BTHD, v_BSGD, out_BTHD;
};
LseInputs lse_inputs(const at::Tensor& dlse_BHT, const at::Tensor& v_BSGD, const at::Tensor& out_BTHD);

/// An out for which dout_i . out_i = delta_i, for kernels that take no delta: delta dout / |dout|^2. It is the
/// projection of the real out on dout, so it is not longer. Of a dout shorter than 1e-18 delta comes out nearer to 0.
at::Tensor out_of_delta(const at::Tensor& delta_BHT, const at::Tensor& dout_BTHD);

}  // namespace graticule

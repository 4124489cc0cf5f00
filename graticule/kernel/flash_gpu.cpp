#include "graticule/kernel/flash_gpu.h"

#include <ATen/ops/_scaled_dot_product_efficient_attention.h>
#include <ATen/ops/_scaled_dot_product_efficient_attention_backward.h>
#include <ATen/ops/_scaled_dot_product_flash_attention.h>
#include <ATen/ops/_scaled_dot_product_flash_attention_backward.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/empty.h>

#include <limits>

#include "graticule/kernel/flash_aten.h"

namespace graticule {
namespace {

constexpr int64_t width_step = 8;
constexpr int64_t lse_step = 32;  // the memory-efficient kernel rounds the rows of its log-sum-exp up to this

/// [B, T, H, D] -> [B, H, T, D rounded up to width_step], ATen's order of dims.
at::Tensor heads_first(const at::Tensor& x_BTHD) {
  const auto missing = (width_step - x_BTHD.size(3) % width_step) % width_step;
  const auto x_BHTD = x_BTHD.transpose(1, 2);
  return missing ? at::constant_pad_nd(x_BHTD, {0, missing}) : x_BHTD;
}

at::Tensor tokens_first(const at::Tensor& x_BHTD, int64_t width) {
  return x_BHTD.narrow(3, 0, width).transpose(1, 2);
}

/// ATen requires the random state of dropout, also without dropout.
at::Tensor no_state(const at::Tensor& like) { return at::empty({0}, like.options().dtype(at::kLong)); }

FlashGradients half_backward(const at::Tensor& dout, const at::Tensor& q, const at::Tensor& k,
                             const at::Tensor& v, const at::Tensor& out, const at::Tensor& lse,
                             double scale) {
  const at::Tensor none;
  auto [dq, dk, dv] = at::_scaled_dot_product_flash_attention_backward(
      heads_first(dout), heads_first(q), heads_first(k), heads_first(v), heads_first(out), lse, none, none,
      q.size(1), k.size(1), 0.0, false, no_state(q), no_state(q), scale);
  return {tokens_first(dq, q.size(3)), tokens_first(dk, q.size(3)), tokens_first(dv, q.size(3))};
}

FlashGradients full_backward(const at::Tensor& dout, const at::Tensor& q, const at::Tensor& k,
                             const at::Tensor& v, const at::Tensor& out, const at::Tensor& lse,
                             double scale) {
  const auto heads = q.size(2);
  const auto missing = (lse_step - lse.size(2) % lse_step) % lse_step;
  const auto padded = at::constant_pad_nd(lse, {0, missing}, std::numeric_limits<float>::infinity());
  auto [dq, dk, dv, dbias] = at::_scaled_dot_product_efficient_attention_backward(
      heads_first(dout), heads_first(q), heads_first(repeat_heads(k, heads)),
      heads_first(repeat_heads(v, heads)), {}, heads_first(out), padded, no_state(q), no_state(q), 0.0,
      {true, true, true, false}, false, scale);
  return {tokens_first(dq, q.size(3)), sum_heads(tokens_first(dk, q.size(3)), k.size(2)),
          sum_heads(tokens_first(dv, q.size(3)), k.size(2))};
}

}  // namespace

FlashResult flash_gpu_forward(const at::Tensor& q_BTHD, const at::Tensor& k_BSGD, const at::Tensor& v_BSGD,
                              double scale) {
  const auto width = q_BTHD.size(3);
  if (q_BTHD.scalar_type() == at::kFloat) {
    const auto heads = q_BTHD.size(2);
    const auto result = at::_scaled_dot_product_efficient_attention(
        heads_first(q_BTHD), heads_first(repeat_heads(k_BSGD, heads)),
        heads_first(repeat_heads(v_BSGD, heads)), {}, true, 0.0, false, scale);
    return {tokens_first(std::get<0>(result), width),
            std::get<1>(result).narrow(2, 0, q_BTHD.size(1)).contiguous()};
  }
  const auto result = at::_scaled_dot_product_flash_attention(heads_first(q_BTHD), heads_first(k_BSGD),
                                                              heads_first(v_BSGD), 0.0, false, false, scale);
  return {tokens_first(std::get<0>(result), width), std::get<1>(result)};
}

FlashGradients flash_gpu_backward(const at::Tensor& dout_BTHD, const at::Tensor& q_BTHD,
                                  const at::Tensor& k_BSGD, const at::Tensor& v_BSGD,
                                  const at::Tensor& out_BTHD, const at::Tensor& lse_BHT, double scale,
                                  const std::optional<at::Tensor>& dlse_BHT) {
  const auto backward = q_BTHD.scalar_type() == at::kFloat ? full_backward : half_backward;
  auto gradients = backward(dout_BTHD, q_BTHD, k_BSGD, v_BSGD, out_BTHD, lse_BHT, scale);
  if (dlse_BHT) {
    const auto inputs = lse_inputs(*dlse_BHT, v_BSGD, out_BTHD);
    const auto more =
        backward(inputs.dout_BTHD, q_BTHD, k_BSGD, inputs.v_BSGD, inputs.out_BTHD, lse_BHT, scale);
    gradients.dq_BTHD = gradients.dq_BTHD + more.dq_BTHD;
    gradients.dk_BSGD = gradients.dk_BSGD + more.dk_BSGD;
  }
  return gradients;
}

}  // namespace graticule

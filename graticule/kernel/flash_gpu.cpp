#include "graticule/kernel/flash_gpu.h"

#include <ATen/Context.h>
#include <ATen/ops/_scaled_dot_product_cudnn_attention.h>
#include <ATen/ops/_scaled_dot_product_cudnn_attention_backward.h>
#include <ATen/ops/_scaled_dot_product_efficient_attention.h>
#include <ATen/ops/_scaled_dot_product_efficient_attention_backward.h>
#include <ATen/ops/_scaled_dot_product_flash_attention.h>
#include <ATen/ops/_scaled_dot_product_flash_attention_backward.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/empty.h>

#include <array>
#include <limits>
#include <map>
#include <mutex>
#include <tuple>

#include "graticule/kernel/flash_aten.h"
#include "graticule/kernel/flash_choice.h"

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

FlashResult half_forward(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, double scale) {
  const auto result = at::_scaled_dot_product_flash_attention(heads_first(q), heads_first(k), heads_first(v),
                                                              0.0, false, false, scale);
  return {tokens_first(std::get<0>(result), q.size(3)), std::get<1>(result)};
}

FlashGradients half_backward(const at::Tensor& dout, const at::Tensor& q, const at::Tensor& k,
                             const at::Tensor& v, const at::Tensor& out, const at::Tensor& lse,
                             double scale) {
  const at::Tensor none;
  auto [dq, dk, dv] = at::_scaled_dot_product_flash_attention_backward(
      heads_first(dout), heads_first(q), heads_first(k), heads_first(v), heads_first(out), lse, none, none,
      q.size(1), k.size(1), 0.0, false, no_state(q), no_state(q), scale);
  return {tokens_first(dq, q.size(3)), tokens_first(dk, q.size(3)), tokens_first(dv, q.size(3))};
}

/// cuDNN's log-sum-exp has a last dim of 1.
FlashResult cudnn_forward(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, double scale) {
  const auto result = at::_scaled_dot_product_cudnn_attention(heads_first(q), heads_first(k), heads_first(v),
                                                              {}, true, 0.0, false, false, scale);
  return {tokens_first(std::get<0>(result), q.size(3)),
          std::get<1>(result).reshape({q.size(0), q.size(2), q.size(1)}).contiguous()};
}

FlashGradients cudnn_backward(const at::Tensor& dout, const at::Tensor& q, const at::Tensor& k,
                              const at::Tensor& v, const at::Tensor& out, const at::Tensor& lse,
                              double scale) {
  const at::Tensor none;
  auto [dq, dk, dv] = at::_scaled_dot_product_cudnn_attention_backward(
      heads_first(dout), heads_first(q), heads_first(k), heads_first(v), heads_first(out),
      lse.contiguous().unsqueeze(3), no_state(q), no_state(q), none, none, none, q.size(1), k.size(1), 0.0,
      false, scale);
  return {tokens_first(dq, q.size(3)), tokens_first(dk, q.size(3)), tokens_first(dv, q.size(3))};
}

/// The kernel for fp16 and bf16, the same in forward and backward: it depends on what both know. cuDNN takes no single
/// key and is never deterministic.
const HalfKernel& half_kernel(const at::Tensor& q, const at::Tensor& k) {
  static constexpr std::array kernels = {HalfKernel{"flash", half_forward, half_backward},
                                         HalfKernel{"cudnn", cudnn_forward, cudnn_backward}};
  if (q.numel() == 0 || k.size(1) < 2 || at::globalContext().deterministicAlgorithms()) return kernels[0];
  static std::mutex mutex;
  static std::map<std::tuple<at::ScalarType, int64_t, int64_t, int>, const HalfKernel*> chosen;
  const std::lock_guard lock(mutex);
  const auto [found, fresh] = chosen.try_emplace(
      {q.scalar_type(), q.size(3), q.size(2) / k.size(2), q.device().index()}, &kernels[0]);
  if (fresh) found->second = &fastest_kernel(kernels, q, k);
  return *found->second;
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
  return half_kernel(q_BTHD, k_BSGD).forward(q_BTHD, k_BSGD, v_BSGD, scale);
}

FlashGradients flash_gpu_backward(const at::Tensor& dout_BTHD, const at::Tensor& q_BTHD,
                                  const at::Tensor& k_BSGD, const at::Tensor& v_BSGD,
                                  const at::Tensor& out_BTHD, const at::Tensor& lse_BHT, double scale,
                                  const std::optional<at::Tensor>& dlse_BHT) {
  const auto backward =
      q_BTHD.scalar_type() == at::kFloat ? full_backward : half_kernel(q_BTHD, k_BSGD).backward;
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

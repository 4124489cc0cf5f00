#include "graticule/attention/kernel/flash_aten.h"

namespace graticule {

at::Tensor repeat_heads(const at::Tensor& x_BSGD, int64_t heads) {
  return x_BSGD.size(2) == heads ? x_BSGD : x_BSGD.repeat_interleave(heads / x_BSGD.size(2), 2);
}

at::Tensor sum_heads(const at::Tensor& x_BSHD, int64_t groups) {
  if (x_BSHD.size(2) == groups) return x_BSHD;
  const auto grouped = x_BSHD.reshape({x_BSHD.size(0), x_BSHD.size(1), groups, -1, x_BSHD.size(3)});
  return grouped.sum({3}, false, at::kFloat).to(x_BSHD.scalar_type());
}

LseInputs lse_inputs(const at::Tensor& dlse_BHT, const at::Tensor& v_BSGD, const at::Tensor& out_BTHD) {
  auto dout = at::zeros_like(out_BTHD);
  dout.select(3, 0).copy_(dlse_BHT.transpose(1, 2));
  auto v = at::zeros_like(v_BSGD);
  v.select(3, 0).fill_(1);
  return {dout, v, at::zeros_like(out_BTHD)};
}

FlashResult flash_aten_forward(const at::Tensor& q_BTHD, const at::Tensor& k_BSGD, const at::Tensor& v_BSGD,
                               double scale) {
  const auto heads = q_BTHD.size(2);
  auto [out_BHTD, lse_BHT] = at::_scaled_dot_product_flash_attention_for_cpu(
      q_BTHD.transpose(1, 2), repeat_heads(k_BSGD, heads).transpose(1, 2),
      repeat_heads(v_BSGD, heads).transpose(1, 2), 0.0, false, {}, scale);
  return {out_BHTD.transpose(1, 2).contiguous(), lse_BHT.contiguous()};
}

FlashGradients flash_aten_backward(const at::Tensor& dout_BTHD, const at::Tensor& q_BTHD,
                                   const at::Tensor& k_BSGD, const at::Tensor& v_BSGD,
                                   const at::Tensor& out_BTHD, const at::Tensor& lse_BHT, double scale,
                                   const std::optional<at::Tensor>& dlse_BHT) {
  const auto heads = q_BTHD.size(2);
  const auto groups = k_BSGD.size(2);
  auto [dq, dk, dv] = at::_scaled_dot_product_flash_attention_for_cpu_backward(
      dout_BTHD.transpose(1, 2), q_BTHD.transpose(1, 2), repeat_heads(k_BSGD, heads).transpose(1, 2),
      repeat_heads(v_BSGD, heads).transpose(1, 2), out_BTHD.transpose(1, 2), lse_BHT, 0.0, false, {}, scale);
  FlashGradients gradients{dq.transpose(1, 2), sum_heads(dk.transpose(1, 2), groups),
                           sum_heads(dv.transpose(1, 2), groups)};
  if (dlse_BHT) {
    const auto inputs = lse_inputs(*dlse_BHT, v_BSGD, out_BTHD);
    const auto more = flash_aten_backward(inputs.dout_BTHD, q_BTHD, k_BSGD, inputs.v_BSGD, inputs.out_BTHD,
                                          lse_BHT, scale, std::nullopt);
    gradients.dq_BTHD = gradients.dq_BTHD + more.dq_BTHD;
    gradients.dk_BSGD = gradients.dk_BSGD + more.dk_BSGD;
  }
  return gradients;
}

}  // namespace graticule

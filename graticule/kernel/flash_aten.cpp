#include "graticule/kernel/flash_aten.h"

#include <ATen/Parallel.h>
#include <ATen/ops/_scaled_dot_product_flash_attention_for_cpu.h>
#include <ATen/ops/_scaled_dot_product_flash_attention_for_cpu_backward.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>

#include "graticule/core/choices.h"

namespace graticule {

namespace {

// The queries and keys that a thread multiplies at a time.
struct Tile {
  int64_t queries, keys;
  int64_t scores() const { return queries * keys; }
};

Tile tile_of(const FlashSizes& x) {
  const int64_t queries = x.queries >= 768 ? 256 : x.queries >= 192 ? 64 : 32;
  return {std::min(queries, x.queries), std::min<int64_t>(512, x.keys)};
}

// q [B, H, T, D], k [B, H, S, D].
FlashSizes sizes_of(const at::Tensor& q, const at::Tensor& k) {
  return {q.size(0), q.size(2), q.size(1), k.size(2), k.size(1), q.size(3)};
}

void allocate(const at::Tensor& like, int64_t bytes) { at::empty({bytes}, like.options().dtype(at::kByte)); }

// Calls ATen's forward. For meta tensors it makes the tensors that ATen would allocate; ATen's results have
// tokens before heads.
std::tuple<at::Tensor, at::Tensor> attend(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                          double scale) {
  if (!q.is_meta()) {
    return at::_scaled_dot_product_flash_attention_for_cpu(q, k, v, 0.0, false, {}, scale);
  }
  const FlashSizes x = sizes_of(q, k);
  const at::Tensor out = at::empty({x.batch, x.queries, x.heads, x.width}, q.options());
  const at::Tensor lse = at::empty({x.batch, x.queries, x.heads}, q.options().dtype(at::kFloat));
  allocate(q, aten_forward_scratch(x, q.element_size(), at::get_num_threads()));
  return {out.transpose(1, 2), lse.transpose(1, 2)};
}

// The same for ATen's backward, which copies dout with heads before tokens.
std::tuple<at::Tensor, at::Tensor, at::Tensor> attend_backward(const at::Tensor& dout, const at::Tensor& q,
                                                               const at::Tensor& k, const at::Tensor& v,
                                                               const at::Tensor& out, const at::Tensor& lse,
                                                               double scale) {
  if (!q.is_meta()) {
    return at::_scaled_dot_product_flash_attention_for_cpu_backward(dout, q, k, v, out, lse, 0.0, false, {},
                                                                    scale);
  }
  const FlashSizes x = sizes_of(q, k);
  const auto gradient = [&](int64_t tokens) {
    return at::empty({x.batch, tokens, x.heads, x.width}, q.options()).transpose(1, 2);
  };
  const at::Tensor dq = gradient(x.queries), dk = gradient(x.keys), dv = gradient(x.keys);
  const at::Tensor dense_dout = dout.contiguous();
  allocate(q, aten_backward_scratch(x, q.element_size(), at::get_num_threads()));
  return {dq, dk, dv};
}

}  // namespace

int64_t aten_forward_scratch(const FlashSizes& x, int64_t element, int64_t threads) {
  const Tile tile = tile_of(x);
  const int64_t wide = fp32_bytes * (tile.scores() + tile.queries * (2 + x.width));
  const int64_t narrow = element < fp32_bytes ? element * tile.scores() : 0;
  return threads * (wide + narrow);
}

int64_t aten_backward_scratch(const FlashSizes& x, int64_t element, int64_t threads) {
  const Tile tile = tile_of(x);
  const int64_t narrow = element < fp32_bytes ? element * 2 * tile.scores() : 0;
  return threads * (fp32_bytes * (2 * tile.scores() + tile.queries) + narrow);
}

at::Tensor repeat_heads(const at::Tensor& x_BSGD, int64_t heads) {
  const int64_t groups = x_BSGD.size(2);
  if (groups == heads) return x_BSGD;
  return x_BSGD.unsqueeze(3).expand({-1, -1, -1, heads / groups, -1}).flatten(2, 3);
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

at::Tensor out_of_delta(const at::Tensor& delta_BHT, const at::Tensor& dout_BTHD) {
  constexpr double shortest = 1e-18;  // its square is a normal number in fp32
  const at::Tensor length_BTH1 =
      at::linalg_vector_norm(dout_BTHD, 2, {3}, /*keepdim=*/true, at::kFloat).clamp_min_(shortest);
  const at::Tensor factor_BTH1 = delta_BHT.transpose(1, 2).unsqueeze(3).div(length_BTH1).div_(length_BTH1);
  at::Tensor out_BTHD = at::empty_like(dout_BTHD);
  return at::mul_out(out_BTHD, dout_BTHD, factor_BTH1);
}

FlashResult flash_aten_forward(const at::Tensor& q_BTHD, const at::Tensor& k_BSGD, const at::Tensor& v_BSGD,
                               double scale) {
  const auto heads = q_BTHD.size(2);
  const auto [out_BHTD, lse_BHT] = attend(q_BTHD.transpose(1, 2), repeat_heads(k_BSGD, heads).transpose(1, 2),
                                          repeat_heads(v_BSGD, heads).transpose(1, 2), scale);
  return {out_BHTD.transpose(1, 2).contiguous(), lse_BHT.contiguous()};
}

FlashGradients flash_aten_backward(const at::Tensor& dout_BTHD, const at::Tensor& q_BTHD,
                                   const at::Tensor& k_BSGD, const at::Tensor& v_BSGD,
                                   const at::Tensor& out_BTHD, const at::Tensor& lse_BHT, double scale,
                                   const std::optional<at::Tensor>& dlse_BHT) {
  const auto heads = q_BTHD.size(2);
  const auto groups = k_BSGD.size(2);
  const auto [dq, dk, dv] = attend_backward(
      dout_BTHD.transpose(1, 2), q_BTHD.transpose(1, 2), repeat_heads(k_BSGD, heads).transpose(1, 2),
      repeat_heads(v_BSGD, heads).transpose(1, 2), out_BTHD.transpose(1, 2), lse_BHT, scale);
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

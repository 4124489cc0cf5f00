// Legend: B batch, T this rank's tokens, C width, H heads, G key/value heads, D head width.

#include "graticule/model/block.h"

#include <ATen/CPUGeneratorImpl.h>

#include "graticule/attention/kernel/linear.h"
#include "graticule/core/error.h"
#include "graticule/core/trace.h"

namespace graticule {

namespace {

constexpr double norm_epsilon = 1e-5;

at::Tensor layer_norm(const Weights& weights, const std::string& name, const at::Tensor& x) {
  return at::layer_norm(x, {x.size(-1)}, weights[name + ".weight"], weights[name + ".bias"], norm_epsilon);
}

at::Tensor attend(const Weights& weights, const at::Tensor& x_BTC, const ModelShape& shape,
                  const Attention& attention) {
  const int64_t B = x_BTC.size(0), T = x_BTC.size(1), H = shape.heads, G = shape.key_heads(),
                D = shape.head_dim();
  at::Tensor qkv_BTE;
  {
    const Scope scope("linear");
    qkv_BTE = graticule::linear(x_BTC, weights["attention.qkv.weight"], weights["attention.qkv.bias"]);
  }
  at::Tensor q_BTHD = qkv_BTE.narrow(2, 0, H * D).view({B, T, H, D});
  at::Tensor k_BTGD = qkv_BTE.narrow(2, H * D, G * D).view({B, T, G, D});
  const at::Tensor v_BTGD = qkv_BTE.narrow(2, (H + G) * D, G * D).view({B, T, G, D});
  if (shape.qk_norm) {
    q_BTHD = layer_norm(weights, "attention.q_norm", q_BTHD);
    k_BTGD = layer_norm(weights, "attention.k_norm", k_BTGD);
  }
  const at::Tensor out_BTC = attention(q_BTHD, k_BTGD, v_BTGD).reshape({B, T, H * D});
  const Scope scope("linear");
  return graticule::linear(out_BTC, weights["attention.out.weight"], weights["attention.out.bias"]);
}

at::Tensor mlp(const Weights& weights, const at::Tensor& x_BTC) {
  const Scope scope("linear");
  const at::Tensor hidden =
      at::gelu(graticule::linear(x_BTC, weights["mlp.fc1.weight"], weights["mlp.fc1.bias"]));
  return graticule::linear(hidden, weights["mlp.fc2.weight"], weights["mlp.fc2.bias"]);
}

// Stochastic depth (arXiv 1603.09382): a sample's branch is left out with probability `rate`, the kept ones
// scaled by 1 / (1 - rate). The draw depends on the sample, not on the rank, so that all ranks of a sample
// agree.
at::Tensor drop_path(const at::Tensor& branch, double rate, const Inputs& inputs, uint64_t place) {
  if (!inputs.training || rate == 0) return branch;
  at::Tensor keep_B = at::empty({branch.size(0)}, at::kFloat);
  auto keep = keep_B.accessor<float, 1>();
  for (int64_t b = 0; b < branch.size(0); ++b) {
    const uint64_t draw =
        mix_seed({inputs.seed, static_cast<uint64_t>(inputs.sample_ids[static_cast<size_t>(b)]), place});
    const double uniform = static_cast<double>(draw >> 11) * 0x1.0p-53;
    keep[b] = uniform < rate ? 0.0F : static_cast<float>(1 / (1 - rate));
  }
  return branch * keep_B.to(branch.options()).view({-1, 1, 1});
}

std::vector<Parameter> block_weights(const ModelShape& shape) {
  const int64_t C = shape.dim, D = shape.head_dim(), hidden = shape.hidden();
  std::vector<Parameter> list;
  const auto norm = [&](const std::string& name, int64_t size) {
    list.push_back({name + ".weight", {size}, Init::ones, 0, false});
    list.push_back({name + ".bias", {size}, Init::zeros, 0, false});
  };
  // Layers that write to the residual stream start smaller, so that its variance does not grow with depth
  // (GPT-2, section 2.3).
  const double to_residual = 0.02 / std::sqrt(2.0 * static_cast<double>(shape.depth));
  const auto dense = [&](const std::string& name, int64_t in, int64_t out, double deviation) {
    list.push_back({name + ".weight", {out, in}, Init::truncated_normal, deviation, true});
    list.push_back({name + ".bias", {out}, Init::zeros, 0, false});
  };
  norm("norm1", C);
  dense("attention.qkv", C, C + 2 * shape.key_heads() * D, 0.02);
  if (shape.qk_norm) norm("attention.q_norm", D), norm("attention.k_norm", D);
  dense("attention.out", C, C, to_residual);
  norm("norm2", C);
  dense("mlp.fc1", C, hidden, 0.02);
  dense("mlp.fc2", hidden, C, to_residual);
  return list;
}

}  // namespace

Block transformer_block(const ModelShape& shape, int64_t index, Attention attention) {
  const double rate =
      shape.depth > 1 ? shape.drop_path * static_cast<double>(index) / static_cast<double>(shape.depth - 1)
                      : 0;
  const auto place = static_cast<uint64_t>(2 * index);
  return {text("blocks.", index), block_weights(shape),
          [shape, rate, place, attention = std::move(attention)](
              const Weights& weights, const at::Tensor& input_BTC, const Inputs& inputs) {
            const at::Tensor attended =
                attend(weights, layer_norm(weights, "norm1", input_BTC), shape, attention);
            const at::Tensor x_BTC = input_BTC + drop_path(attended, rate, inputs, place);
            return x_BTC +
                   drop_path(mlp(weights, layer_norm(weights, "norm2", x_BTC)), rate, inputs, place + 1);
          }};
}

}  // namespace graticule

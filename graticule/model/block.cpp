// Legend: B batch, t this rank's tokens, T the tokens of its tensor group (t when there is none), C width, H
// heads, G key/value heads (H and G this rank's), E width of this rank's q, k and v together, D head width.

#include "graticule/model/block.h"

#include <ATen/CPUGeneratorImpl.h>

#include "graticule/core/error.h"

namespace graticule {

namespace {

constexpr double norm_epsilon = 1e-5;

at::Tensor layer_norm(const Weights& weights, const std::string& name, const at::Tensor& x) {
  return at::layer_norm(x, {x.size(-1)}, weights[name + ".weight"], weights[name + ".bias"], norm_epsilon);
}

// What this rank of the tensor axis holds of a block. Query heads follow their key head.
struct Share {
  Span keys, queries, hidden;
};

Share block_share(const ModelShape& shape, const TensorLayers& layers) {
  const Span keys = share_of(layers, shape.key_heads());
  const int64_t queries_a_key = shape.heads / shape.key_heads();
  return {keys, {keys.begin * queries_a_key, keys.end * queries_a_key}, share_of(layers, shape.hidden())};
}

at::Tensor column(const TensorLayers& layers, const Weights& weights, const std::string& name,
                  const at::Tensor& x, const Inputs& inputs) {
  return column_linear(layers, x, weights[name + ".weight"], weights[name + ".bias"], inputs.deferred);
}

at::Tensor row(const TensorLayers& layers, const Weights& weights, const std::string& name,
               const at::Tensor& x, const Inputs& inputs) {
  return row_linear(layers, x, weights[name + ".weight"], weights[name + ".bias"], inputs.deferred);
}

at::Tensor attend(const Weights& weights, const at::Tensor& x_BtC, const ModelShape& shape,
                  const Attention& attention, const TensorLayers& layers, const Inputs& inputs) {
  const at::Tensor qkv_BTE = column(layers, weights, "attention.qkv", x_BtC, inputs);
  const Share mine = block_share(shape, layers);
  const int64_t B = qkv_BTE.size(0), T = qkv_BTE.size(1), H = mine.queries.size(), G = mine.keys.size(),
                D = shape.head_dim();
  at::Tensor q_BTHD = qkv_BTE.narrow(2, 0, H * D).view({B, T, H, D});
  at::Tensor k_BTGD = qkv_BTE.narrow(2, H * D, G * D).view({B, T, G, D});
  const at::Tensor v_BTGD = qkv_BTE.narrow(2, (H + G) * D, G * D).view({B, T, G, D});
  if (shape.qk_norm) {
    q_BTHD = layer_norm(weights, "attention.q_norm", q_BTHD);
    k_BTGD = layer_norm(weights, "attention.k_norm", k_BTGD);
  }
  const at::Tensor out_BTE = attention(q_BTHD, k_BTGD, v_BTGD).reshape({B, T, H * D});
  return row(layers, weights, "attention.out", out_BTE, inputs);
}

at::Tensor mlp(const Weights& weights, const at::Tensor& x_BtC, const TensorLayers& layers,
               const Inputs& inputs) {
  const at::Tensor hidden = at::gelu(column(layers, weights, "mlp.fc1", x_BtC, inputs));
  return row(layers, weights, "mlp.fc2", hidden, inputs);
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

std::vector<Parameter> block_weights(const ModelShape& shape, const TensorLayers& layers) {
  const int64_t C = shape.dim, G = shape.key_heads(), D = shape.head_dim(), hidden = shape.hidden();
  std::vector<Parameter> list;
  const auto norm = [&](const std::string& name, int64_t size) {
    list.push_back({name + ".weight", {size}, Init::ones, 0, false});
    list.push_back({name + ".bias", {size}, Init::zeros, 0, false});
  };
  const auto dense_column = [&](const std::string& name, int64_t in, int64_t out,
                                const std::vector<Span>& mine) {
    const auto cut = cut_by(layers, 0, mine);
    list.push_back({name + ".weight", {out, in}, Init::truncated_normal, 0.02, true, cut});
    list.push_back({name + ".bias", {out}, Init::zeros, 0, false, cut});
  };
  // Layers that write to the residual stream start smaller, so that its variance does not grow with depth
  // (GPT-2, section 2.3).
  const double to_residual = 0.02 / std::sqrt(2.0 * static_cast<double>(shape.depth));
  const auto dense_row = [&](const std::string& name, int64_t in, int64_t out, const Span& mine) {
    const auto cut = cut_by(layers, 1, {mine});
    list.push_back({name + ".weight", {out, in}, Init::truncated_normal, to_residual, true, cut});
    list.push_back({name + ".bias", {out}, Init::zeros, 0, false});
  };
  const Share mine = block_share(shape, layers);
  const auto rows = [D](int64_t first_head, const Span& heads) {
    return Span{(first_head + heads.begin) * D, (first_head + heads.end) * D};
  };
  norm("norm1", C);
  dense_column("attention.qkv", C, C + 2 * G * D,
               {rows(0, mine.queries), rows(shape.heads, mine.keys), rows(shape.heads + G, mine.keys)});
  if (shape.qk_norm) norm("attention.q_norm", D), norm("attention.k_norm", D);
  dense_row("attention.out", C, C, rows(0, mine.queries));
  norm("norm2", C);
  dense_column("mlp.fc1", C, hidden, {mine.hidden});
  dense_row("mlp.fc2", hidden, C, mine.hidden);
  return list;
}

}  // namespace

Block transformer_block(const ModelShape& shape, int64_t index, Attention attention,
                        const TensorLayers& layers) {
  const double rate =
      shape.depth > 1 ? shape.drop_path * static_cast<double>(index) / static_cast<double>(shape.depth - 1)
                      : 0;
  const auto place = static_cast<uint64_t>(2 * index);
  return {text("blocks.", index), block_weights(shape, layers),
          [shape, rate, place, layers, attention = std::move(attention)](
              const Weights& weights, const at::Tensor& input_BtC, const Inputs& inputs) {
            const at::Tensor attended =
                attend(weights, layer_norm(weights, "norm1", input_BtC), shape, attention, layers, inputs);
            const at::Tensor x_BtC = input_BtC + drop_path(attended, rate, inputs, place);
            return x_BtC + drop_path(mlp(weights, layer_norm(weights, "norm2", x_BtC), layers, inputs), rate,
                                     inputs, place + 1);
          }};
}

}  // namespace graticule

#include "graticule/model/branches.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>

#include "graticule/kernel/gelu.h"

namespace graticule {

namespace {

at::Tensor layer_norm(const Weights& weights, const std::string& name, const at::Tensor& x) {
  return graticule::layer_norm(x, weights[name + ".weight"], weights[name + ".bias"]);
}

at::Tensor column(const BranchContext& context, const Weights& weights, const std::string& name,
                  const at::Tensor& x, Value value) {
  return column_linear(context.layers, x, weights[name + ".weight"], weights[name + ".bias"],
                       context.inputs.deferred, value);
}

at::Tensor row(const BranchContext& context, const Weights& weights, const std::string& name,
               const at::Tensor& x) {
  return row_linear(context.layers, x, weights[name + ".weight"], weights[name + ".bias"],
                    context.inputs.deferred, context.value);
}

// Stochastic depth (arXiv 1603.09382): a sample's branch is left out with probability `rate`, and the kept
// ones are scaled by 1 / (1 - rate). The random number depends on the sample and not on the rank, so that all
// ranks of a sample agree.
at::Tensor drop_path(const BranchContext& context, int64_t branch, const at::Tensor& values) {
  const Inputs& inputs = context.inputs;
  const int64_t depth = context.shape.depth;
  const double rate = depth > 1 ? context.shape.drop_path * static_cast<double>(context.index) /
                                      static_cast<double>(depth - 1)
                                : 0;
  if (!inputs.training || rate == 0) return values;
  const auto place = static_cast<uint64_t>(2 * context.index + branch);
  at::Tensor keep_B = at::empty({values.size(0)}, at::kFloat);
  auto keep = keep_B.accessor<float, 1>();
  for (int64_t b = 0; b < values.size(0); ++b) {
    const uint64_t draw =
        mix_seed({inputs.seed, static_cast<uint64_t>(inputs.sample_ids[static_cast<size_t>(b)]), place});
    const double uniform = static_cast<double>(draw >> 11) * 0x1.0p-53;
    keep[b] = uniform < rate ? 0.0F : static_cast<float>(1 / (1 - rate));
  }
  return values * keep_B.to(values.options()).view({-1, 1, 1});
}

}  // namespace

BlockShare block_share(const ModelShape& shape, const TensorLayers& layers) {
  const Span keys = share_of(layers, shape.key_heads());
  const int64_t queries_a_key = shape.heads / shape.key_heads();
  return {keys, {keys.begin * queries_a_key, keys.end * queries_a_key}, share_of(layers, shape.hidden())};
}

std::vector<Span> projection_rows_of(const ModelShape& shape, int64_t H, int64_t G, const Span& queries,
                                     const Span& keys) {
  const int64_t D = shape.head_dim(), K = shape.content_dim();
  const auto rows = [](int64_t first, const Span& heads, int64_t width) {
    return Span{first + heads.begin * width, first + heads.end * width};
  };
  return {rows(0, queries, D), rows(H * D, keys, K), rows(H * D + G * K, keys, D)};
}

Span tokens_of_group(const TensorLayers& layers, const Span& tokens) {
  if (layers.group.size() == 1) return tokens;
  const auto first = layers.tokens_of.begin(), mine = first + layers.group.rank();
  const int64_t begin = tokens.begin - std::accumulate(first, mine, int64_t{0});
  return {begin, begin + std::accumulate(first, layers.tokens_of.end(), int64_t{0})};
}

NormedSum norm_stream(const Weights& weights, const std::string& name, const at::Tensor& x_BtC,
                      const std::optional<at::Tensor>& branch_BtC) {
  return add_norm(x_BtC, branch_BtC, weights[name + ".weight"], weights[name + ".bias"]);
}

at::Tensor project_heads(const BranchContext& context, const Weights& weights, const at::Tensor& normed_BtC,
                         int64_t queries) {
  const QkNorm qk_norm = context.shape.qk_norm;
  const at::Tensor qkv_BTE = column(context, weights, "attention.qkv", normed_BtC,
                                    qk_norm == QkNorm::none ? context.value : Value::computed);
  if (context.shape.shapes_queries())
    return queries_and_keys(context.query_key, weights, qkv_BTE, queries, context.tokens,
                            context.inputs.visible);
  const int64_t D = context.shape.head_dim(), heads = qkv_BTE.size(2) / D, keys = (heads - queries) / 2;
  at::Tensor qkv_BTXD = qkv_BTE.unflatten(2, {heads, D});
  if (qk_norm == QkNorm::none) return qkv_BTXD;
  const auto qkv = qkv_BTXD.split_with_sizes({queries, keys, keys}, 2);
  return at::cat({layer_norm(weights, "attention.q_norm", qkv[0]),
                  layer_norm(weights, "attention.k_norm", qkv[1]), qkv[2]},
                 2);
}

at::Tensor merge_heads(const BranchContext& context, const Weights& weights, const at::Tensor& out_BTHD) {
  return drop_path(context, 0, row(context, weights, "attention.out", out_BTHD.flatten(2)));
}

at::Tensor with_mlp(const BranchContext& context, const Weights& weights, const at::Tensor& x_BtC,
                    const std::optional<at::Tensor>& branch_BtC) {
  const auto [x1_BtC, normed_BtC] = norm_stream(weights, "norm2", x_BtC, branch_BtC);
  const at::Tensor hidden = gelu(column(context, weights, "mlp.fc1", normed_BtC, Value::computed));
  return x1_BtC + drop_path(context, 1, row(context, weights, "mlp.fc2", hidden));
}

}  // namespace graticule

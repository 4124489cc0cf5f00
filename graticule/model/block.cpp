#include "graticule/model/block.h"

#include "graticule/core/error.h"
#include "graticule/model/branches.h"
#include "graticule/model/lean_block.h"

namespace graticule {

namespace {

std::vector<Parameter> block_weights(const ModelShape& shape, const TensorLayers& layers) {
  const int64_t C = shape.dim, H = shape.heads, G = shape.key_heads(), D = shape.head_dim();
  const int64_t hidden = shape.hidden();
  std::vector<Parameter> list;
  const auto norm = [&](const std::string& name, int64_t size) {
    list.push_back({name + ".weight", {size}, Init::ones, 0, false});
    list.push_back({name + ".bias", {size}, Init::zeros, 0, false});
  };
  const auto dense_column = [&](const std::string& name, int64_t in, int64_t out,
                                const std::vector<Span>& mine) {
    const auto cut = cut_by(layers, 0, mine);
    list.push_back({name + ".weight", {out, in}, Init::truncated_normal, shape.init_std, true, cut});
    list.push_back({name + ".bias", {out}, Init::zeros, 0, false, cut});
  };
  // Layers that write to the residual stream start with smaller weights, so that the variance of the stream
  // does not grow with depth (GPT-2, section 2.3).
  const double to_residual = shape.init_std / std::sqrt(2.0 * static_cast<double>(shape.depth));
  const auto dense_row = [&](const std::string& name, int64_t in, int64_t out, const Span& mine) {
    const auto cut = cut_by(layers, 1, {mine});
    list.push_back({name + ".weight", {out, in}, Init::truncated_normal, to_residual, true, cut});
    list.push_back({name + ".bias", {out}, Init::zeros, 0, false});
  };
  const BlockShare mine = block_share(shape, layers);
  norm("norm1", C);
  dense_column("attention.qkv", C, shape.projection_rows(H, G),
               projection_rows_of(shape, H, G, mine.queries, mine.keys));
  if (shape.qk_norm == QkNorm::layer) norm("attention.q_norm", D), norm("attention.k_norm", D);
  for (auto& [parameter, of_keys] : query_key_parameters(shape)) {
    parameter.cut = cut_by(layers, 0, {of_keys ? mine.keys : mine.queries});
    list.push_back(std::move(parameter));
  }
  dense_row("attention.out", C, C, {mine.queries.begin * D, mine.queries.end * D});
  norm("norm2", C);
  dense_column("mlp.fc1", C, hidden, {mine.hidden});
  dense_row("mlp.fc2", hidden, C, mine.hidden);
  return list;
}

}  // namespace

Block transformer_block(const ModelShape& shape, int64_t index, const Span& tokens, Attention attention,
                        const TensorLayers& layers, int64_t tile_tokens) {
  const BlockShare share = block_share(shape, layers);
  const int64_t H = share.queries.size(), G = share.keys.size();
  const auto query_key = std::make_shared<const QueryKey>(query_key_of(shape));
  const Span group = tokens_of_group(layers, tokens);
  LeanBlock lean = lean_transformer_block({query_key, index, attention, layers, group, tile_tokens});
  return {text("blocks.", index), block_weights(shape, layers),
          [query_key, index, layers, H, G, all = std::vector{group}, attention = std::move(attention)](
              const Weights& weights, const at::Tensor& x_BtC, const Inputs& inputs) {
            const BranchContext context{query_key->shape, layers, inputs, index, query_key, all};
            const auto [stream_BtC, normed_BtC] = norm_stream(weights, "norm1", x_BtC);
            const auto qkv = project_heads(context, weights, normed_BtC, H).split_with_sizes({H, G, G}, 2);
            const at::Tensor out_BTHD = attention(qkv[0], qkv[1], qkv[2]);
            return with_mlp(context, weights, stream_BtC, merge_heads(context, weights, out_BTHD));
          },
          std::move(lean)};
}

}  // namespace graticule

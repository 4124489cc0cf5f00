#include "graticule/model/block.h"

#include <ATen/TensorOperators.h>

#include "graticule/core/error.h"
#include "graticule/model/branches.h"
#include "graticule/model/lean_block.h"

namespace graticule {

namespace {

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
                        const TensorLayers& layers, int64_t tile_tokens) {
  const BlockShare share = block_share(shape, layers);
  const int64_t H = share.queries.size(), G = share.keys.size();
  LeanBlock lean = lean_transformer_block(shape, index, attention, layers, tile_tokens);
  return {text("blocks.", index), block_weights(shape, layers),
          [shape, index, layers, H, G, attention = std::move(attention)](
              const Weights& weights, const at::Tensor& x_BtC, const Inputs& inputs) {
            const BranchContext context{shape, layers, inputs, index};
            const at::Tensor qkv_BTXD = project_heads(context, weights, x_BtC, H);
            const at::Tensor out_BTHD =
                attention(qkv_BTXD.narrow(2, 0, H), qkv_BTXD.narrow(2, H, G), qkv_BTXD.narrow(2, H + G, G));
            return with_mlp(context, weights, x_BtC + merge_heads(context, weights, out_BTHD));
          },
          std::move(lean)};
}

}  // namespace graticule

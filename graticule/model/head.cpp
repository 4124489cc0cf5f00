// Legend: B batch, T this rank's tokens, K outputs of a token, P values of an output, V all variables, C width.

#include "graticule/model/head.h"

#include <ATen/ops/cat.h>

#include "graticule/core/error.h"
#include "graticule/kernel/gelu.h"
#include "graticule/kernel/linear.h"
#include "graticule/kernel/norm.h"
#include "graticule/parallel/tiles.h"

namespace graticule {

namespace {

at::Tensor predict_each_variable(const Weights& weights, const at::Tensor& x_BTC, const TokenGrid& grid,
                                 const Span& span) {
  const Span variables = grid.variables_of(span);
  std::vector<at::Tensor> parts;
  for (int64_t v = variables.begin; v < variables.end; ++v) {
    const Span tokens = grid.tokens_of(span, v);
    const at::Tensor x_BtC = x_BTC.narrow(1, tokens.begin - span.begin, tokens.size());
    parts.push_back(graticule::linear(x_BtC, weights["out.weight"][v], weights["out.bias"][v]));
  }
  return at::cat(parts, 1);
}

std::vector<Parameter> head_weights(const ModelShape& shape) {
  const int64_t V = shape.grid.variables, values = shape.outputs() * shape.output_values(), C = shape.dim;
  std::vector<Parameter> list = {{"norm.weight", {C}, Init::ones, 0, false},
                                 {"norm.bias", {C}, Init::zeros, 0, false}};
  for (int64_t i = 0; i < shape.head_layers; ++i) {
    list.push_back({text("hidden.", i, ".weight"), {C, C}, Init::truncated_normal, shape.init_std});
    list.push_back({text("hidden.", i, ".bias"), {C}, Init::zeros, 0, false});
  }
  const bool each = shape.grid.mode == TokenMode::full;
  list.push_back({"out.weight", each ? std::vector<int64_t>{V, values, C} : std::vector<int64_t>{values, C},
                  Init::truncated_normal, shape.init_std});
  list.push_back({"out.bias", each ? std::vector<int64_t>{V, values} : std::vector<int64_t>{values},
                  Init::zeros, 0, false});
  return list;
}

}  // namespace

Block prediction_head(const ModelShape& shape, const Span& tokens, int64_t tile_tokens) {
  const TokenFunction predict = [shape, tokens](const Weights& weights, const at::Tensor& input_BTC,
                                                const Inputs& inputs, const Span& tile) {
    at::Tensor x_BTC = layer_norm(input_BTC, weights["norm.weight"], weights["norm.bias"]);
    for (int64_t i = 0; i < shape.head_layers; ++i) {
      x_BTC = gelu(graticule::linear(x_BTC, weights[text("hidden.", i, ".weight")],
                                     weights[text("hidden.", i, ".bias")], inputs.deferred));
    }
    const Span span{tokens.begin + tile.begin, tokens.begin + tile.end};
    const at::Tensor out_BTE =
        shape.grid.mode == TokenMode::full
            ? predict_each_variable(weights, x_BTC, shape.grid, span)
            : graticule::linear(x_BTC, weights["out.weight"], weights["out.bias"], inputs.deferred);
    return out_BTE.view({out_BTE.size(0), out_BTE.size(1), shape.outputs(), shape.output_values()})
        .to(at::kFloat);
  };
  return token_block("head", head_weights(shape), predict, tile_tokens);
}

}  // namespace graticule

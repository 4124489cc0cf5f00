#include "graticule/model/tokenizer.h"

#include <numbers>

#include "graticule/attention/kernel/linear.h"
#include "graticule/core/error.h"

namespace graticule {

namespace {

// Hours over 100, so that leads of some days are numbers near one.
constexpr double lead_scale = 0.01;

at::Tensor lead_embedding(const Weights& weights, const Inputs& inputs) {
  const at::Tensor& weight = weights["lead.weight"];
  const at::Tensor lead_B1 = (inputs.lead_hours_B * lead_scale).to(weight.scalar_type()).unsqueeze(1);
  return (lead_B1 * weight.view({1, -1}) + weights["lead.bias"]).unsqueeze(1);
}

// One linear map a variable, for the variables that this rank's tokens belong to: [B, T, 1, P] -> [B, T, C].
at::Tensor embed_each_variable(const Weights& weights, const at::Tensor& input_BTKP, const TokenGrid& grid,
                               const Span& span) {
  const Span variables = grid.variables_of(span);
  std::vector<at::Tensor> parts;
  for (int64_t v = variables.begin; v < variables.end; ++v) {
    const Span tokens = grid.tokens_of(span, v);
    const at::Tensor patches_BtP =
        input_BTKP.narrow(1, tokens.begin - span.begin, tokens.size()).select(2, 0);
    parts.push_back(graticule::linear(patches_BtP, weights["patch.weight"][v], weights["patch.bias"][v]) +
                    weights["variable"][v]);
  }
  return at::cat(parts, 1);
}

// Every variable of every place, then one learned query a place over them (ClimaX, arXiv 2301.10343,
// section 3.2).
at::Tensor aggregate_variables(const Weights& weights, const at::Tensor& input_BTKP,
                               const ModelShape& shape) {
  const int64_t B = input_BTKP.size(0), T = input_BTKP.size(1), V = input_BTKP.size(2), C = shape.dim;
  const int64_t H = shape.heads, D = shape.head_dim();
  const at::Tensor x_BTVC = at::einsum("btvp,vcp->btvc", {input_BTKP, weights["patch.weight"]}) +
                            (weights["patch.bias"] + weights["variable"]);
  const at::Tensor q_HD = graticule::linear(weights["aggregate.query"].view({1, C}),
                                            weights["aggregate.q.weight"], weights["aggregate.q.bias"])
                              .view({H, D});
  const at::Tensor k_BTVHD =
      graticule::linear(x_BTVC, weights["aggregate.k.weight"], weights["aggregate.k.bias"])
          .view({B, T, V, H, D});
  const at::Tensor v_BTVHD =
      graticule::linear(x_BTVC, weights["aggregate.v.weight"], weights["aggregate.v.bias"])
          .view({B, T, V, H, D});
  const at::Tensor scores_BTVH = (k_BTVHD * q_HD).sum(-1) / std::sqrt(static_cast<double>(D));
  const at::Tensor p_BTVH = at::softmax(scores_BTVH.to(at::kFloat), 2).to(x_BTVC.scalar_type());
  const at::Tensor merged_BTC = (p_BTVH.unsqueeze(-1) * v_BTVHD).sum(2).reshape({B, T, C});
  return graticule::linear(merged_BTC, weights["aggregate.out.weight"], weights["aggregate.out.bias"]);
}

std::vector<Parameter> tokenizer_weights(const ModelShape& shape) {
  const int64_t V = shape.grid.variables, P = shape.grid.pixels(), C = shape.dim;
  std::vector<Parameter> list;
  const auto weight = [&](std::string name, std::vector<int64_t> sizes) {
    list.push_back({std::move(name), std::move(sizes)});
  };
  const auto free = [&](std::string name, std::vector<int64_t> sizes, Init init) {
    list.push_back({std::move(name), std::move(sizes), init, 0.02, false});
  };
  if (shape.grid.mode == TokenMode::channels) {
    list.push_back(
        {"patch.weight", {C, V * P}, Init::truncated_normal, 1 / std::sqrt(static_cast<double>(V * P))});
    free("patch.bias", {C}, Init::zeros);
  } else {
    list.push_back(
        {"patch.weight", {V, C, P}, Init::truncated_normal, 1 / std::sqrt(static_cast<double>(P))});
    free("patch.bias", {V, C}, Init::zeros);
    free("variable", {V, C}, Init::truncated_normal);
    list.back().deviation = 0.5;
  }
  if (shape.grid.mode == TokenMode::aggregated) {
    free("aggregate.query", {C}, Init::truncated_normal);
    for (const char* name : {"q", "k", "v", "out"}) {
      weight(text("aggregate.", name, ".weight"), {C, C});
      list.back().deviation = 1 / std::sqrt(static_cast<double>(C));
      free(text("aggregate.", name, ".bias"), {C}, Init::zeros);
    }
  }
  free("lead.weight", {C}, Init::truncated_normal);
  free("lead.bias", {C}, Init::zeros);
  return list;
}

}  // namespace

at::Tensor position_embedding(const TokenGrid& grid, const Span& span, int64_t dim) {
  const int64_t quarter = dim / 4;
  at::Tensor embedding_TC = at::empty({span.size(), dim}, at::kFloat);
  auto out = embedding_TC.accessor<float, 2>();
  for (int64_t t = 0; t < span.size(); ++t) {
    const TokenGrid::Place place = grid.locate(span.begin + t);
    const double y = (static_cast<double>(place.patch_row) + 0.5) / static_cast<double>(grid.patch_rows());
    const double turn =
        (static_cast<double>(place.patch_column) + 0.5) / static_cast<double>(grid.patch_columns());
    for (int64_t k = 0; k < quarter; ++k) {
      const double rung = std::exp2(8.0 * static_cast<double>(k) / static_cast<double>(quarter));
      const double along_y = std::numbers::pi * y * rung;
      const auto wave = static_cast<double>(1 + k * grid.patch_columns() / (2 * quarter));
      const double along_x = 2 * std::numbers::pi * turn * wave;
      out[t][k] = static_cast<float>(std::sin(along_y));
      out[t][quarter + k] = static_cast<float>(std::cos(along_y));
      out[t][2 * quarter + k] = static_cast<float>(std::sin(along_x));
      out[t][3 * quarter + k] = static_cast<float>(std::cos(along_x));
    }
  }
  return embedding_TC;
}

Block tokenizer(const ModelShape& shape, const Span& tokens) {
  const at::Tensor position_TC = position_embedding(shape.grid, tokens, shape.dim);
  return {
      "tokenizer", tokenizer_weights(shape),
      [shape, tokens, position_TC](const Weights& weights, const at::Tensor& input, const Inputs& inputs) {
        const at::Tensor input_BTKP = input.to(weights["lead.weight"].scalar_type());
        at::Tensor x_BTC;
        switch (shape.grid.mode) {
          case TokenMode::full:
            x_BTC = embed_each_variable(weights, input_BTKP, shape.grid, tokens);
            break;
          case TokenMode::aggregated:
            x_BTC = aggregate_variables(weights, input_BTKP, shape);
            break;
          case TokenMode::channels:
            x_BTC = graticule::linear(input_BTKP.flatten(2), weights["patch.weight"], weights["patch.bias"]);
            break;
        }
        return x_BTC + position_TC.to(x_BTC.options()) + lead_embedding(weights, inputs);
      }};
}

}  // namespace graticule

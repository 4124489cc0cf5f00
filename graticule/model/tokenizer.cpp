#include "graticule/model/tokenizer.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/einsum.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/softmax.h>

#include <numbers>

#include "graticule/core/error.h"
#include "graticule/kernel/linear.h"
#include "graticule/model/places.h"
#include "graticule/parallel/tiles.h"

namespace graticule {

namespace {

// The lead time in hours is divided by 100, so that leads of some days are numbers near one.
constexpr double lead_scale = 0.01;

// Cosine and sine of the hour of the day and of the day of the year: [B, 4]. A year has 365.2425 days, so the
// second angle is right to a day.
at::Tensor calendar_of(const std::vector<int64_t>& times) {
  constexpr double day = 86'400, year = 365.2425 * day;
  at::Tensor features_B4 = at::empty({std::ssize(times), calendar_features}, at::kFloat);
  auto out = features_B4.accessor<float, 2>();
  for (int64_t b = 0; b < std::ssize(times); ++b) {
    const auto seconds = static_cast<double>(times[static_cast<size_t>(b)]);
    int64_t feature = 0;
    for (const double period : {day, year}) {
      const double angle = 2 * std::numbers::pi * std::fmod(seconds, period) / period;
      out[b][feature++] = static_cast<float>(std::cos(angle));
      out[b][feature++] = static_cast<float>(std::sin(angle));
    }
  }
  return features_B4;
}

// The lead time and, with `calendar`, the initial time: [B, 1, C].
at::Tensor time_embedding(const Weights& weights, const Inputs& inputs, bool calendar) {
  const at::Tensor& weight = weights["lead.weight"];
  const at::Tensor lead_B1 = (inputs.lead_hours_B * lead_scale).to(weight.scalar_type()).unsqueeze(1);
  const at::Tensor lead_BC = lead_B1 * weight.view({1, -1}) + weights["lead.bias"];
  if (!calendar) return lead_BC.unsqueeze(1);
  const at::Tensor calendar_B4 = calendar_of(inputs.times).to(weight.options());
  return (lead_BC + at::matmul(calendar_B4, weights["calendar.weight"].t())).unsqueeze(1);
}

// One linear map for each variable that this rank's tokens belong to: [B, T, 1, I] -> [B, T, C].
at::Tensor embed_each_variable(const Weights& weights, const at::Tensor& input_BTKI, const TokenGrid& grid,
                               const Span& span) {
  const Span variables = grid.variables_of(span);
  std::vector<at::Tensor> parts;
  for (int64_t v = variables.begin; v < variables.end; ++v) {
    const Span tokens = grid.tokens_of(span, v);
    const at::Tensor patches_BtI =
        input_BTKI.narrow(1, tokens.begin - span.begin, tokens.size()).select(2, 0);
    parts.push_back(graticule::linear(patches_BtI, weights["patch.weight"][v], weights["patch.bias"][v]) +
                    weights["variable"][v]);
  }
  return at::cat(parts, 1);
}

// Embeds every variable of every place. Then one learned query attends over the variables of each place
// (ClimaX, arXiv 2301.10343, section 3.2): [B, T, V, I] -> [B, T, C].
at::Tensor aggregate_variables(const Weights& weights, const at::Tensor& input_BTKI,
                               const ModelShape& shape) {
  const int64_t B = input_BTKI.size(0), T = input_BTKI.size(1), V = input_BTKI.size(2), C = shape.dim;
  const int64_t H = shape.heads, D = shape.head_dim();
  const at::Tensor x_BTVC = at::einsum("btvi,vci->btvc", {input_BTKI, weights["patch.weight"]}) +
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
  const int64_t V = shape.grid.variables, I = shape.grid.inputs(), C = shape.dim;
  std::vector<Parameter> list;
  const auto weight = [&](std::string name, std::vector<int64_t> sizes) {
    list.push_back({std::move(name), std::move(sizes)});
  };
  const auto free = [&](std::string name, std::vector<int64_t> sizes, Init init) {
    list.push_back({std::move(name), std::move(sizes), init, 0.02, false});
  };
  if (shape.grid.mode == TokenMode::channels) {
    list.push_back(
        {"patch.weight", {C, V * I}, Init::truncated_normal, 1 / std::sqrt(static_cast<double>(V * I))});
    free("patch.bias", {C}, Init::zeros);
  } else {
    list.push_back(
        {"patch.weight", {V, C, I}, Init::truncated_normal, 1 / std::sqrt(static_cast<double>(I))});
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
  list.back().deviation = shape.lead_std;
  free("lead.bias", {C}, Init::zeros);
  if (shape.calendar) {
    free("calendar.weight", {C, calendar_features}, Init::truncated_normal);
    list.back().deviation = 0.5;
  }
  return list;
}

/// The 2-D position embedding, fp32, for any grid: half of the width for the row of patches, half for the
/// column. y in [0, 1] runs from the south edge to the north edge of the grid; lambda is the longitude in
/// turns (periodic); c = C / 4 and k = 0 .. c - 1:
///   sin(pi y 2^(8 k / c)), cos(same)    geometric series, from half a wave to 128 waves over the rows
///   sin(2 pi lambda m_k), cos(same)     whole wave numbers m_k = 1 + floor(k X' / (2 c)), X' patch columns,
///                                       so there is no seam at 0 E
struct PositionTables {
  at::Tensor of_row, of_column;
};

PositionTables position_tables(const TokenGrid& grid, int64_t dim) {
  const int64_t quarter = dim / 4, R = grid.patch_rows(), Q = grid.patch_columns();
  std::vector<double> over_rows, over_columns;
  for (int64_t k = 0; k < quarter; ++k) {
    over_rows.push_back(std::exp2(8.0 * static_cast<double>(k) / static_cast<double>(quarter)));
    over_columns.push_back(static_cast<double>(1 + k * Q / (2 * quarter)));
  }
  const auto table = [](const Waves& waves) { return at::cat({waves.sin, waves.cos}, 1); };
  return {table(wave_table(R, std::numbers::pi / static_cast<double>(R), over_rows)),
          table(wave_table(Q, 2 * std::numbers::pi / static_cast<double>(Q), over_columns))};
}

at::Tensor look_up(const PositionTables& tables, const TokenGrid& grid, const Span& span,
                   const at::TensorOptions& options) {
  const auto [row_T, column_T] = rows_and_columns(grid, {&span, 1}, options.device());
  return at::cat({tables.of_row.to(options).index_select(0, row_T),
                  tables.of_column.to(options).index_select(0, column_T)},
                 1);
}

}  // namespace

Block tokenizer(const ModelShape& shape, const Span& tokens, int64_t tile_tokens) {
  const TokenFunction embed = [shape, tokens, tables = position_tables(shape.grid, shape.dim)](
                                  const Weights& weights, const at::Tensor& input, const Inputs& inputs,
                                  const Span& tile) {
    const Span span{tokens.begin + tile.begin, tokens.begin + tile.end};
    const at::Tensor input_BTKI = input.to(weights["lead.weight"].scalar_type());
    at::Tensor x_BTC;
    switch (shape.grid.mode) {
      case TokenMode::full:
        x_BTC = embed_each_variable(weights, input_BTKI, shape.grid, span);
        break;
      case TokenMode::aggregated:
        x_BTC = aggregate_variables(weights, input_BTKI, shape);
        break;
      case TokenMode::channels:
        x_BTC = graticule::linear(input_BTKI.flatten(2), weights["patch.weight"], weights["patch.bias"]);
        break;
    }
    return x_BTC + look_up(tables, shape.grid, span, x_BTC.options()) +
           time_embedding(weights, inputs, shape.calendar);
  };
  return token_block("tokenizer", tokenizer_weights(shape), embed, tile_tokens);
}

}  // namespace graticule

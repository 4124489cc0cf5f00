#include "graticule/model/tokenizer.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/einsum.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/softmax.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>

#include "graticule/core/error.h"
#include "graticule/kernel/linear.h"
#include "graticule/model/place_sums.h"
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

/// The visible tokens of a tile, and their input in the dtype of the weights.
struct TokensOfTile {
  Span span;  ///< their range among the visible tokens
  at::Tensor input_BTKI;
};

TokensOfTile tokens_of_tile(const Weights& weights, const at::Tensor& input_BTKI, const Visible& visible,
                            const Span& tile) {
  const Span span = visible_part(visible, tile);
  const at::Tensor of_span =
      visible ? input_BTKI.index_select(1, (tokens_at(visible, span) - tile.begin).to(input_BTKI.device()))
              : input_BTKI;
  return {span, of_span.to(weights["lead.weight"].scalar_type())};
}

// A function of each variable that this rank's tokens belong to, of its patches: [B, T, 1, I] -> [B, T, C].
at::Tensor of_each_variable(const TokensOfTile& tile, const TokenGrid& grid, const Visible& visible,
                            const std::function<at::Tensor(int64_t v, const at::Tensor& patches_BtI)>& map) {
  std::vector<VariableRun> runs = variable_runs(grid, {&tile.span, 1}, visible);
  if (runs.empty()) runs.push_back({0, {0, 0}});  // no token: the weights still take part
  std::vector<at::Tensor> parts;
  for (const auto& [v, tokens] : runs)
    parts.push_back(map(v, tile.input_BTKI.narrow(1, tokens.begin, tokens.size()).select(2, 0)));
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
  if (shape.adds_merged()) {
    weight("merged.weight", {V, C, I});
    list.back().deviation = 1 / std::sqrt(static_cast<double>(V * I));
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

// What each token adds to all tokens of its place (model/place_sums.h).
Block part_of_place(const ModelShape& shape, const Span& tokens, int64_t tile_tokens) {
  const TokenFunction part = [shape, tokens](const Weights& weights, const at::Tensor& input,
                                             const Inputs& inputs, const Span& tile) {
    const auto mine =
        tokens_of_tile(weights, input, inputs.visible, {tokens.begin + tile.begin, tokens.begin + tile.end});
    return of_each_variable(mine, shape.grid, inputs.visible, [&](int64_t v, const at::Tensor& patches_BtI) {
      return graticule::linear(patches_BtI, weights["merged.weight"][v]);
    });
  };
  return token_block("tokenizer", {}, part, tile_tokens);
}

}  // namespace

WaveTables position_tables(const TokenGrid& grid, int64_t dim) {
  std::vector<GridAxis> axes = wave_axes(grid);
  std::reverse(axes.begin(), axes.end());
  WaveTables tables;
  for (size_t a = 0; a < axes.size(); ++a) {
    const int64_t n = grid.trained_patches(axes[a]),
                  c = span_of(dim / 2, std::ssize(axes), static_cast<int64_t>(a)).size();
    std::vector<double> numbers;
    for (int64_t k = 0; k < c; ++k) {
      const int64_t whole = 1 + k * n / (2 * c);
      numbers.push_back(grid.periodic(axes[a])
                            ? static_cast<double>(whole)
                            : std::exp2(8.0 * static_cast<double>(k) / static_cast<double>(c)));
    }
    tables.push_back(axis_waves(grid, axes[a], numbers));
  }
  return tables;
}

at::Tensor positions_of(const WaveTables& tables, const TokenGrid& grid, const Span& span,
                        const Visible& visible, const at::TensorOptions& options) {
  const at::Tensor place_T = places_of_tokens(grid, {&span, 1}, visible, options.device());
  std::vector<at::Tensor> parts;
  for (const AxisWaves& along : tables) {
    const Waves waves = waves_at(along, grid, place_T, options);
    parts.push_back(waves.sin), parts.push_back(waves.cos);
  }
  return at::cat(parts, 1);
}

Block tokenizer(const ModelShape& shape, const Span& tokens, const Group& holders, int64_t tile_tokens) {
  const TokenFunction embed = [shape, tokens, tables = position_tables(shape.grid, shape.dim)](
                                  const Weights& weights, const at::Tensor& input, const Inputs& inputs,
                                  const Span& tile) {
    const auto mine =
        tokens_of_tile(weights, input, inputs.visible, {tokens.begin + tile.begin, tokens.begin + tile.end});
    at::Tensor x_BTC;
    switch (shape.grid.mode) {
      case TokenMode::full:
        x_BTC =
            of_each_variable(mine, shape.grid, inputs.visible, [&](int64_t v, const at::Tensor& patches_BtI) {
              return graticule::linear(patches_BtI, weights["patch.weight"][v], weights["patch.bias"][v]) +
                     weights["variable"][v];
            });
        break;
      case TokenMode::aggregated:
        x_BTC = aggregate_variables(weights, mine.input_BTKI, shape);
        break;
      case TokenMode::channels:
        x_BTC = graticule::linear(mine.input_BTKI.flatten(2), weights["patch.weight"], weights["patch.bias"]);
        break;
    }
    return x_BTC + positions_of(tables, shape.grid, mine.span, inputs.visible, x_BTC.options()) +
           time_embedding(weights, inputs, shape.calendar);
  };
  Block block = token_block("tokenizer", tokenizer_weights(shape), embed, tile_tokens);
  if (!shape.adds_merged()) return block;
  return plus_place_sums(block, part_of_place(shape, tokens, tile_tokens), shape.grid, tokens, holders);
}

}  // namespace graticule

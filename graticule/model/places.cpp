#include "graticule/model/places.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/div.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/remainder.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "graticule/core/error.h"

namespace graticule {

Span visible_part(const Visible& visible, const Span& span) {
  if (!visible) return span;
  const auto place = [&](int64_t token) {
    return std::lower_bound(visible->begin(), visible->end(), token) - visible->begin();
  };
  return {place(span.begin), place(span.end)};
}

at::Tensor tokens_at(const Visible& visible, const Span& range) {
  return at::tensor(
      at::IntArrayRef(*visible).slice(static_cast<size_t>(range.begin), static_cast<size_t>(range.size())),
      at::kLong);
}

at::Tensor places_of_tokens(const TokenGrid& grid, std::span<const Span> tokens, const Visible& visible,
                            const at::Device& device) {
  std::vector<at::Tensor> numbers;
  for (const Span& span : tokens) {
    numbers.push_back(visible
                          ? tokens_at(visible, span).to(device)
                          : at::arange(span.begin, span.end, at::TensorOptions(at::kLong).device(device)));
  }
  const at::Tensor token_T = numbers.size() == 1 ? numbers[0] : at::cat(numbers);
  return at::remainder(token_T, grid.places());
}

at::Tensor numbers_along(GridAxis axis, const TokenGrid& grid, const at::Tensor& place_T) {
  const int64_t columns = grid.patch_columns(), rows = grid.patch_rows();
  switch (axis) {
    case GridAxis::columns:
      return at::remainder(place_T, columns);
    case GridAxis::rows: {
      const at::Tensor row_T = at::div(place_T, columns, "floor");
      return grid.patch_layers() == 1 ? row_T : at::remainder(row_T, rows);
    }
    case GridAxis::layers:
      return at::div(place_T, columns * rows, "floor");
  }
  GRATICULE_CHECK(false, "axis");
}

Waves wave_table(int64_t n, double first, double step, const std::vector<double>& waves) {
  const auto count = static_cast<int64_t>(waves.size());
  Waves table{at::empty({n, count}, at::kFloat), at::empty({n, count}, at::kFloat)};
  auto cos = table.cos.accessor<float, 2>(), sin = table.sin.accessor<float, 2>();
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t k = 0; k < count; ++k) {
      const double angle = (static_cast<double>(i) + first) * step * waves[static_cast<size_t>(k)];
      cos[i][k] = static_cast<float>(std::cos(angle));
      sin[i][k] = static_cast<float>(std::sin(angle));
    }
  }
  return table;
}

AxisWaves axis_waves(const TokenGrid& grid, GridAxis axis, const std::vector<double>& waves) {
  if (grid.kind == GridKind::cells)
    return {axis, {}, at::tensor(patch_angles(grid, axis), at::kDouble), at::tensor(waves, at::kDouble)};
  const TrainedAxis& trained = grid.trained[static_cast<size_t>(axis)];
  const double step = wave_turn(grid, axis) * trained.scale / static_cast<double>(grid.trained_patches(axis));
  return {axis, wave_table(grid.patches(axis), 0.5 + trained.shift, step, waves), {}, {}};
}

Waves waves_at(const AxisWaves& along, const TokenGrid& grid, const at::Tensor& place_T,
               const at::TensorOptions& options) {
  if (along.angle_S.defined()) {
    const at::Tensor angle_T1 = along.angle_S.to(options.device()).index_select(0, place_T).unsqueeze(1);
    // In fp64 and within a turn, so that fp32 is exact enough for the finest wave.
    const at::Tensor turned_TF =
        (angle_T1 * along.wave_F.to(options.device())).remainder_(2 * std::numbers::pi).to(at::kFloat);
    return {turned_TF.cos().to(options), turned_TF.sin().to(options)};
  }
  const at::Tensor number_T = numbers_along(along.axis, grid, place_T);
  return {along.of_number.cos.to(options).index_select(0, number_T),
          along.of_number.sin.to(options).index_select(0, number_T)};
}

WaveTables wave_tables(const TokenGrid& grid, const PlaceWaves& waves) {
  WaveTables tables;
  for (const GridAxis axis : wave_axes(grid)) {
    const std::vector<int64_t>& numbers = waves.along(axis);
    tables.push_back(axis_waves(grid, axis, {numbers.begin(), numbers.end()}));
  }
  return tables;
}

Waves waves_at(const WaveTables& tables, const TokenGrid& grid, std::span<const Span> tokens,
               const Visible& visible, const at::TensorOptions& options) {
  const at::Tensor place_T = places_of_tokens(grid, tokens, visible, options.device());
  std::vector<at::Tensor> cos, sin;
  for (const AxisWaves& along : tables) {
    const Waves waves = waves_at(along, grid, place_T, options);
    cos.push_back(waves.cos), sin.push_back(waves.sin);
  }
  return {at::cat(cos, 1), at::cat(sin, 1)};
}

std::vector<VariableRun> variable_runs(const TokenGrid& grid, std::span<const Span> tokens,
                                       const Visible& visible) {
  std::vector<VariableRun> runs;
  int64_t first = 0;
  const int64_t each = grid.mode == TokenMode::full ? grid.places() : grid.tokens();
  for (const Span& span : tokens) {
    for (int64_t v = 0; v < (grid.tokens() + each - 1) / each; ++v) {
      const Span some = intersect(span, visible_part(visible, {v * each, (v + 1) * each}));
      if (some.empty()) continue;
      runs.push_back({v, {first + some.begin - span.begin, first + some.end - span.begin}});
    }
    first += span.size();
  }
  return runs;
}

}  // namespace graticule

#include "graticule/model/places.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/div.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/remainder.h>

#include <cmath>
#include <numbers>

namespace graticule {

RowsAndColumns rows_and_columns(const TokenGrid& grid, std::span<const Span> tokens,
                                const at::Device& device) {
  std::vector<at::Tensor> numbers;
  for (const Span& span : tokens) {
    numbers.push_back(at::arange(span.begin, span.end, at::TensorOptions(at::kLong).device(device)));
  }
  const at::Tensor token_T = numbers.size() == 1 ? numbers[0] : at::cat(numbers);
  const at::Tensor place_T = at::remainder(token_T, grid.places());
  return {at::div(place_T, grid.patch_columns(), "floor"), at::remainder(place_T, grid.patch_columns())};
}

Waves wave_table(int64_t n, double step, const std::vector<double>& waves) {
  const auto count = static_cast<int64_t>(waves.size());
  Waves table{at::empty({n, count}, at::kFloat), at::empty({n, count}, at::kFloat)};
  auto cos = table.cos.accessor<float, 2>(), sin = table.sin.accessor<float, 2>();
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t k = 0; k < count; ++k) {
      const double angle = (static_cast<double>(i) + 0.5) * step * waves[static_cast<size_t>(k)];
      cos[i][k] = static_cast<float>(std::cos(angle));
      sin[i][k] = static_cast<float>(std::sin(angle));
    }
  }
  return table;
}

WaveTables wave_tables(const TokenGrid& grid, const PlaceWaves& waves) {
  const auto numbers = [](const std::vector<int64_t>& list) {
    return std::vector<double>(list.begin(), list.end());
  };
  const int64_t Q = grid.patch_columns(), R = grid.patch_rows();
  return {wave_table(Q, 2 * std::numbers::pi / static_cast<double>(Q), numbers(waves.columns)),
          wave_table(R, std::numbers::pi / static_cast<double>(R), numbers(waves.rows))};
}

Waves waves_at(const WaveTables& tables, const TokenGrid& grid, std::span<const Span> tokens,
               const at::TensorOptions& options) {
  const auto [row_T, column_T] = rows_and_columns(grid, tokens, options.device());
  const auto look_up = [&, &row_T = row_T, &column_T = column_T](const at::Tensor& of_column,
                                                                 const at::Tensor& of_row) {
    return at::cat(
        {of_column.to(options).index_select(0, column_T), of_row.to(options).index_select(0, row_T)}, 1);
  };
  return {look_up(tables.of_column.cos, tables.of_row.cos), look_up(tables.of_column.sin, tables.of_row.sin)};
}

std::vector<VariableRun> variable_runs(const TokenGrid& grid, std::span<const Span> tokens) {
  std::vector<VariableRun> runs;
  int64_t first = 0;
  for (const Span& span : tokens) {
    const Span variables = grid.variables_of(span);
    for (int64_t v = variables.begin; v < variables.end; ++v) {
      const Span some = grid.tokens_of(span, v);
      runs.push_back({v, {first + some.begin - span.begin, first + some.end - span.begin}});
    }
    first += span.size();
  }
  return runs;
}

}  // namespace graticule

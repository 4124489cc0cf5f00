// Where tokens are, as tensors: rows, columns and waves of their patches, and the variables that they carry.
// Everything follows from the tokens' numbers, so nothing of it travels between ranks.
//
// Legend: T tokens, F waves, n rows or columns of patches.
#pragma once

#include <ATen/core/Tensor.h>

#include <span>
#include <vector>

#include "graticule/core/place_waves.h"
#include "graticule/core/span.h"
#include "graticule/core/token_grid.h"

namespace graticule {

/// The row and the column of the patch of each token, [T] each. `tokens`: ranges of tokens, in order.
struct RowsAndColumns {
  at::Tensor row_T, column_T;
};
RowsAndColumns rows_and_columns(const TokenGrid& grid, std::span<const Span> tokens,
                                const at::Device& device);

/// The cosine and the sine of each wave, at rows, columns or tokens.
struct Waves {
  at::Tensor cos, sin;
};

/// The waves at n rows or columns, fp32 [n, F]: the angle at number i is (i + 1/2) step wave.
Waves wave_table(int64_t n, double step, const std::vector<double>& waves);

/// The tables of a grid: for whole waves over the columns and half waves over the rows.
struct WaveTables {
  Waves of_column, of_row;
};
WaveTables wave_tables(const TokenGrid& grid, const PlaceWaves& waves);

/// The waves at each token, first those over the columns: [T, F] each, with these options.
Waves waves_at(const WaveTables& tables, const TokenGrid& grid, std::span<const Span> tokens,
               const at::TensorOptions& options);

/// Neighbouring tokens that carry the same variable.
struct VariableRun {
  int64_t variable;
  Span tokens;  ///< of the T tokens
};
std::vector<VariableRun> variable_runs(const TokenGrid& grid, std::span<const Span> tokens);

}  // namespace graticule

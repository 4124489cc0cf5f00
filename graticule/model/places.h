// Where tokens are, as tensors: numbers and waves of their patches along each axis of the grid, and the variables
// that they carry. Everything follows from the tokens' numbers, so nothing of it travels between ranks.
//
// Legend: T tokens, F waves, n patches along an axis.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <span>
#include <vector>

#include "graticule/core/place_waves.h"
#include "graticule/core/span.h"
#include "graticule/core/token_grid.h"

namespace graticule {

/// The number of each token's patch along an axis, [T]. `place_T`: of places_of_tokens.
at::Tensor numbers_along(GridAxis axis, const TokenGrid& grid, const at::Tensor& place_T);

/// The tokens of a sequence that some blocks read, ascending; null: all. Ranges of tokens then count in this list.
using Visible = std::shared_ptr<const std::vector<int64_t>>;

/// Where the tokens of `span` are in the list: the range of those that are visible. `span` itself if all are.
Span visible_part(const Visible& visible, const Span& span);

/// The tokens at a range of the list, [t] on the CPU.
at::Tensor tokens_at(const Visible& visible, const Span& range);

/// The place (core/token_grid.h) of each token, [T]. `tokens`: ranges of tokens, in order.
at::Tensor places_of_tokens(const TokenGrid& grid, std::span<const Span> tokens, const Visible& visible,
                            const at::Device& device);

/// The cosine and the sine of each wave, at the patches along an axis or at tokens.
struct Waves {
  at::Tensor cos, sin;
};

/// The waves at n patches, fp32 [n, F]: the angle at number i is (i + first) step wave.
Waves wave_table(int64_t n, double first, double step, const std::vector<double>& waves);

/// The waves along one axis of a grid: a table for the numbers of patches. Cells have a number of their own each, so
/// a table would be as long as the sequence: their waves are computed from angles when they are needed.
struct AxisWaves {
  GridAxis axis;
  Waves of_number;
  at::Tensor angle_S, wave_F;  ///< fp64; of cells alone
};
AxisWaves axis_waves(const TokenGrid& grid, GridAxis axis, const std::vector<double>& waves);

/// The waves of an axis at each token, [T, F] each, with these options. `place_T`: of places_of_tokens.
Waves waves_at(const AxisWaves& along, const TokenGrid& grid, const at::Tensor& place_T,
               const at::TensorOptions& options);

/// The waves of a grid, by its wave_axes.
using WaveTables = std::vector<AxisWaves>;
WaveTables wave_tables(const TokenGrid& grid, const PlaceWaves& waves);

/// The waves at each token, in the order of wave_axes: [T, F] each, with these options.
Waves waves_at(const WaveTables& tables, const TokenGrid& grid, std::span<const Span> tokens,
               const Visible& visible, const at::TensorOptions& options);

/// Neighbouring tokens that carry the same variable.
struct VariableRun {
  int64_t variable;
  Span tokens;  ///< of the T tokens
};
std::vector<VariableRun> variable_runs(const TokenGrid& grid, std::span<const Span> tokens,
                                       const Visible& visible);

}  // namespace graticule

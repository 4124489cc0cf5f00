// Forecasts by repeated prediction. A token's next state follows from its own prediction, so a roll-out stays
// spread over the ranks: no field is ever gathered.
//
// Legend: B initial times, T this rank's tokens, K variables a token carries, P pixels of a patch.
#pragma once

#include <ATen/ATen.h>

#include "graticule/train/run.h"

namespace graticule {

/// Constants of this rank's tokens, each T K 1 fp32.
struct TokenScales {
  at::Tensor mean_TK1, deviation_TK1;
  at::Tensor difference_TK1;  ///< deviation of the difference over the lead
  at::Tensor target_TK1;      ///< 1 where the variable is a target, else 0
  at::Tensor forcing_TK1;  ///< 1 where the variable changes in time and is no target: read from the data at
                           ///< each step
};
TokenScales token_scales(const Run& run, int lead_hours);

/// A field (Y X) that is the same for every variable, on this rank's tokens: T K P, 0 off the grid.
at::Tensor on_tokens(const at::Tensor& field_YX, const TokenGrid& grid, const Span& tokens);

/// The part of x_TKP that belongs to variable v, [t P]; empty when this rank has none of it.
at::Tensor of_variable(const at::Tensor& x_TKP, const TokenGrid& grid, const Span& tokens, int64_t variable);

/// The normalised state at one time of the data (T K P).
at::Tensor state_at(const Run& run, int64_t time_index);

/// One lead ahead: normalised states (B T K P) to normalised states. Variables that are no target stay as
/// they are. Collective over the world: all ranks must call it equally often.
at::Tensor advance(Run& run, const TokenScales& scales, const at::Tensor& state_BTKP, int lead_hours);

/// Replaces the forcings of a state (T K P) by the data's at `time_index`, where the data reach so far; else
/// refuses, naming them.
at::Tensor with_forcings(const Run& run, const TokenScales& scales, const at::Tensor& state_TKP,
                         int64_t time);

}  // namespace graticule

// Forecasts by repeated prediction. A token's next state follows from its own prediction, so a roll-out stays
// spread over the ranks: no field is ever gathered.
//
// Legend: T this rank's tokens, K variables a token carries, P pixels of a patch, t those
// of the tokens that belong to one variable.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "graticule/train/run.h"

namespace graticule {

/// The lead that was asked for, or the recipe's first. Refuses one that the model was not trained for.
int chosen_lead(const Run& run, std::optional<int64_t> asked_hours);

/// What turns a variable's normalised values into physical ones.
struct VariableScale {
  double mean = 0, deviation = 1;
  double difference = 1;  ///< deviation of the difference over the lead
  bool target = false;
  bool forcing = false;  ///< changes in time and is no target: read from the data at each step
};
/// By input variable.
std::vector<VariableScale> variable_scales(const Run& run, int lead_hours);

/// One variable's normalised values in physical units.
at::Tensor physical(const at::Tensor& x_tP, const VariableScale& scale);

/// The normalised state at one time of the data (T K P).
at::Tensor state_at(const Run& run, int64_t time_index);

/// One variable at one time of the data, in physical units, NaN where missing (t P).
at::Tensor variable_at(const Run& run, int64_t variable, int64_t time_index);

/// One lead ahead: a normalised state (T K P) to a new one. Variables that are no target stay as they are.
/// Collective over the world: all ranks must call it equally often.
at::Tensor advance(Run& run, const std::vector<VariableScale>& scales, const at::Tensor& state_TKP,
                   int lead_hours);

/// Refuses a time that the data do not have where the model reads forcings, naming them.
void require_forcings(const Run& run, const std::vector<VariableScale>& scales, int64_t time);

/// Overwrites the forcings of a state by the data's at `time`, as `require_forcings` allows it.
void read_forcings(const Run& run, const std::vector<VariableScale>& scales, const at::Tensor& state_TKP,
                   int64_t time);

}  // namespace graticule

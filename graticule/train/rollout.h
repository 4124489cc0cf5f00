// Forecasts by repeated prediction. A token's next state follows from its own prediction, so a roll-out stays
// spread over the ranks: no field is ever gathered.
//
// Legend: T this rank's tokens, K variables a token carries, P pixels of a patch, t those
// of the tokens that belong to one variable.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "graticule/comm/launch.h"
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

/// A normalised state as the model reads it, on its way from an initial time.
///
/// A target that has no value at the initial time (missing, or off the grid) is the mean, 0, there in every
/// state: that is what the model read in training, and what it gives there no loss ever judged. Other
/// variables are 0 where the data have no value.
struct State {
  at::Tensor values_TKP;
  std::map<int64_t, at::Tensor> none_tP;  ///< by target with such places: true there
  int64_t initial_time = 0;
  int64_t hours = 0;  ///< since then
};

/// The state at one time of the data.
State state_at(const Run& run, const std::vector<VariableScale>& scales, int64_t time_index);

/// One variable at one time of the data, in physical units, NaN where missing (t P).
at::Tensor variable_at(const Run& run, int64_t variable, int64_t time_index);

/// One lead ahead. Variables that are no target stay as they are. Fails, on every rank alike, when the model
/// gives a target a value that is not finite, naming variable and time. Collective over the world: all ranks
/// must call it equally often.
void advance(Run& run, const World& world, const std::vector<VariableScale>& scales, State& state,
             int lead_hours);

/// A target's forecast in physical units, NaN where it has none (t P).
at::Tensor forecast_of(const Run& run, const std::vector<VariableScale>& scales, const State& state,
                       int64_t variable);

/// Refuses a time that the data do not have where the model reads forcings, naming them.
void require_forcings(const Run& run, const std::vector<VariableScale>& scales, int64_t time);

/// Overwrites the forcings of a state by the data's at its own time, as `require_forcings` allows it.
void read_forcings(const Run& run, const std::vector<VariableScale>& scales, State& state);

}  // namespace graticule

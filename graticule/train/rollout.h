// Makes forecasts by repeated prediction. A token's next state follows from its own prediction, so a roll-out
// stays spread over the ranks and no field is gathered. evaluate.h and forecast.h use it.
//
// A *target* is predicted. A *forcing* changes in time and is no target; it is read from the data at each
// step. A model with data.history reads earlier states of its targets too: at one lead before, two leads
// before, and so on; so the state before a forecast step becomes the latest of them.
//
// Legend: T this rank's tokens, K variables a token carries, P pixels of a patch, N states that the model
// reads, I = N P, t this rank's tokens of one variable.
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

/// Factors that turn a variable's normalised values into physical ones.
struct VariableScale {
  double mean = 0, deviation = 1;
  double difference = 1;  ///< deviation of the difference over the lead
  bool target = false;
  bool forcing = false;  ///< changes in time and is no target
};
/// One entry for each input variable.
std::vector<VariableScale> variable_scales(const Run& run, int lead_hours);

/// A normalised state, as the model reads it, some hours after an initial time.
///
/// Where a target has no value at the initial time (missing or off the grid), its state is 0, the mean, at
/// every step: the model read 0 there in training, and no loss judged what it predicts there. Other variables
/// are 0 where the data have no value.
struct State {
  at::Tensor values_TKI;                  ///< the present state, then the earlier ones
  std::map<int64_t, at::Tensor> none_tP;  ///< by target with such places; true there
  int64_t initial_time = 0;
  int64_t hours = 0;  ///< since then
};

/// The indices of the times that the model reads for a forecast from `time_index`: that time, one lead
/// before, two leads before. Refuses a time whose history is not in the data.
std::vector<int64_t> states_before(const Run& run, int64_t time_index, int lead_hours);

/// The state at one time of the data. `states`: of states_before. Reads only this rank's tokens; not
/// collective.
State state_at(const Run& run, const std::vector<VariableScale>& scales, const std::vector<int64_t>& states);

/// One variable at one time of the data, in physical units, NaN where missing (t P).
at::Tensor variable_at(const Run& run, int64_t variable, int64_t time_index);

/// Moves the state one lead ahead. Variables that are no target keep their values. Fails, on every rank
/// alike, when the model gives a value of a target that is not finite, naming variable and time. Collective
/// over the world: all ranks must call it equally often.
void advance(Run& run, const World& world, const std::vector<VariableScale>& scales, State& state,
             int lead_hours);

/// A target's forecast in physical units, NaN where it has none (t P).
at::Tensor forecast_of(const Run& run, const std::vector<VariableScale>& scales, const State& state,
                       int64_t variable);

/// Refuses a time that is not in the data, if the model reads forcings; the message names them.
void require_forcings(const Run& run, const std::vector<VariableScale>& scales, int64_t time);

/// Overwrites the forcings of a state with the data at the state's own time. Refuses what `require_forcings`
/// refuses.
void read_forcings(const Run& run, const std::vector<VariableScale>& scales, State& state);

}  // namespace graticule

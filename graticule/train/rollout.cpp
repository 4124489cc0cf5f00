#include "graticule/train/rollout.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "graticule/core/error.h"
#include "graticule/data/time.h"
#include "graticule/train/build.h"

namespace graticule {

namespace {

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

at::Tensor part_of(const Run& run, const at::Tensor& x_TKP, int64_t variable) {
  return of_variable(x_TKP, run.shape.grid, run.tokens, variable);
}

// A variable at the time of the state.
at::Tensor present_of(const Run& run, const at::Tensor& x_TKI, int64_t variable) {
  return part_of(run, x_TKI, variable).narrow(1, 0, run.shape.grid.pixels());
}

// Fails on a value that is not finite: in a file it would look like a missing value. Only the smallest and
// the largest value are looked at, so no field is copied.
void require_finite(const Run& run, const std::vector<VariableScale>& scales, const State& state) {
  const Span variables = run.shape.grid.variables_of(run.tokens);
  for (int64_t v = variables.begin; v < variables.end; ++v) {
    const VariableScale& scale = scales[static_cast<size_t>(v)];
    const at::Tensor values_tP = present_of(run, state.values_TKI, v);
    if (!scale.target || values_tP.numel() == 0) continue;
    const auto [low, high] = values_tP.aminmax();  // NaN if any value is NaN
    const auto finite = [&](const at::Tensor& end) {
      return std::isfinite(static_cast<float>(end.item<double>() * scale.deviation + scale.mean));
    };
    if (finite(low) && finite(high)) continue;
    fail("forecast", "the model's ", run.options.data.variables[static_cast<size_t>(v)], " ", state.hours,
         " h after ", format_time(state.initial_time, run.source->catalog().calendar),
         " is not finite: take an earlier checkpoint (RUN/checkpoints/step-N) if the weights diverged, ",
         "or fewer --steps");
  }
}

}  // namespace

int chosen_lead(const Run& run, std::optional<int64_t> asked_hours) {
  const auto& leads = run.options.data.lead_hours;
  const int64_t hours = asked_hours.value_or(leads.front());
  if (std::find(leads.begin(), leads.end(), hours) == leads.end()) {
    std::string trained;
    for (const int64_t lead : leads) trained += text(trained.empty() ? "" : ", ", lead);
    refuse("lead", "--lead ", hours, ": the model was trained for ", trained,
           " h; choose one of them, with --steps for later times");
  }
  return static_cast<int>(hours);
}

std::vector<VariableScale> variable_scales(const Run& run, int lead_hours) {
  const Catalog& catalog = run.source->catalog();
  std::vector<VariableScale> scales;
  for (const std::string& name : run.options.data.variables) {
    const VariableStatistics& statistics = run.statistics.of(name);
    const bool target = contains(run.options.data.targets, name);
    const bool constant = catalog.variables[catalog.index_of(name)].constant;
    scales.push_back({statistics.mean, statistics.deviation, statistics.difference_deviation.at(lead_hours),
                      target, !target && !constant});
  }
  return scales;
}

std::vector<int64_t> states_before(const Run& run, int64_t time_index, int lead_hours) {
  const Catalog& catalog = run.source->catalog();
  const int64_t initial = catalog.times[static_cast<size_t>(time_index)], states = run.shape.grid.states;
  std::vector<int64_t> indices;
  for (int64_t n = 0; n < states; ++n) {
    const int64_t time = initial - n * lead_hours * 3600;
    const auto found = catalog.index_of_time(time);
    if (!found)
      refuse("forecast", "the model reads ", states, " states, ", lead_hours,
             " h apart (data.history), but the data have nothing at ", format_time(time, catalog.calendar),
             ": choose an initial time later than ", format_time(initial, catalog.calendar));
    indices.push_back(*found);
  }
  return indices;
}

State state_at(const Run& run, const std::vector<VariableScale>& scales, const std::vector<int64_t>& states) {
  State state{read_tokens(*run.source, run.statistics,
                          loader_options(run.options, run.shape, run.mesh, run.tokens), states),
              {},
              run.source->catalog().times[static_cast<size_t>(states.front())]};
  const Span variables = run.shape.grid.variables_of(run.tokens);
  for (int64_t v = variables.begin; v < variables.end; ++v) {
    const at::Tensor none_tP = present_of(run, state.values_TKI, v).isnan();
    if (scales[static_cast<size_t>(v)].target && none_tP.any().item<bool>()) state.none_tP[v] = none_tP;
  }
  state.values_TKI.masked_fill_(state.values_TKI.isnan(), 0);
  return state;
}

at::Tensor variable_at(const Run& run, int64_t variable, int64_t time_index) {
  return read_patches(*run.source, loader_options(run.options, run.shape, run.mesh, run.tokens), variable,
                      time_index);
}

void advance(Run& run, const World& world, const std::vector<VariableScale>& scales, State& state,
             int lead_hours) {
  const at::Device device = run.device();
  const Inputs inputs{
      at::full({1}, static_cast<double>(lead_hours), at::kFloat).to(device),
      {in_gregorian_season(run.source->catalog().calendar, state.initial_time + state.hours * 3600)},
      {0},
      0,
      false,
      nullptr};
  // The next state is computed in the memory of the prediction.
  const TokenGrid& grid = run.shape.grid;
  at::Tensor next_TKI = run.chain.predict(state.values_TKI.unsqueeze(0).to(device), inputs).cpu().squeeze(0);
  if (grid.states > 1)  // the states that were read, but the earliest, are earlier ones now
    next_TKI = at::cat({next_TKI, state.values_TKI.narrow(2, 0, grid.inputs() - grid.pixels())}, 2);
  const Span variables = run.shape.grid.variables_of(run.tokens);
  for (int64_t v = variables.begin; v < variables.end; ++v) {
    const VariableScale& scale = scales[static_cast<size_t>(v)];
    at::Tensor next_tP = present_of(run, next_TKI, v);
    const at::Tensor now_tP = present_of(run, state.values_TKI, v);
    if (!scale.target) {
      part_of(run, next_TKI, v).copy_(part_of(run, state.values_TKI, v));
    } else if (run.options.data.predict == Predict::difference) {
      next_tP.mul_(scale.difference / scale.deviation).add_(now_tP);
    }
    if (const auto none = state.none_tP.find(v); none != state.none_tP.end()) {
      next_tP.masked_fill_(none->second, 0);
    }
  }
  state.values_TKI = next_TKI;
  state.hours += lead_hours;
  agree(world, run.mesh.world, [&] { require_finite(run, scales, state); });
}

at::Tensor forecast_of(const Run& run, const std::vector<VariableScale>& scales, const State& state,
                       int64_t variable) {
  const VariableScale& scale = scales[static_cast<size_t>(variable)];
  at::Tensor forecast_tP = (present_of(run, state.values_TKI, variable) * scale.deviation).add_(scale.mean);
  const auto none = state.none_tP.find(variable);
  if (none != state.none_tP.end()) {
    forecast_tP.masked_fill_(none->second, std::numeric_limits<double>::quiet_NaN());
  }
  return forecast_tP;
}

void require_forcings(const Run& run, const std::vector<VariableScale>& scales, int64_t time) {
  std::string names;
  for (size_t v = 0; v < scales.size(); ++v) {
    if (scales[v].forcing) names += (names.empty() ? "" : ", ") + run.options.data.variables[v];
  }
  if (names.empty() || run.source->catalog().index_of_time(time)) return;
  refuse("forecast", "the model reads ", names, " at each step, but the data have nothing at ",
         format_time(time, run.source->catalog().calendar), ": give fewer steps, or data that reach so far");
}

void read_forcings(const Run& run, const std::vector<VariableScale>& scales, State& state) {
  const int64_t time = state.initial_time + state.hours * 3600;
  require_forcings(run, scales, time);
  const int64_t index = run.source->catalog().index_of_time(time).value_or(0);  // 0: nothing is read
  const Span variables = run.shape.grid.variables_of(run.tokens);
  for (int64_t v = variables.begin; v < variables.end; ++v) {
    const auto variable = static_cast<size_t>(v);
    if (!scales[variable].forcing) continue;
    const VariableStatistics& statistics = run.statistics.of(run.options.data.variables[variable]);
    present_of(run, state.values_TKI, v)
        .copy_(read_patches(*run.source, loader_options(run.options, run.shape, run.mesh, run.tokens), v,
                            index, &statistics));
  }
}

}  // namespace graticule

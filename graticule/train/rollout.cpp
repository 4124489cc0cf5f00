#include "graticule/train/rollout.h"

#include <algorithm>

#include "graticule/core/error.h"
#include "graticule/train/build.h"

namespace graticule {

namespace {

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
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

at::Tensor physical(const at::Tensor& x_tP, const VariableScale& scale) {
  return (x_tP * scale.deviation).add_(scale.mean);
}

at::Tensor state_at(const Run& run, int64_t time_index) {
  return read_tokens(*run.source, run.statistics,
                     loader_options(run.options, run.shape, run.mesh, run.tokens), time_index);
}

at::Tensor variable_at(const Run& run, int64_t variable, int64_t time_index) {
  return read_patches(*run.source, loader_options(run.options, run.shape, run.mesh, run.tokens), variable,
                      time_index);
}

at::Tensor advance(Run& run, const std::vector<VariableScale>& scales, const at::Tensor& state_TKP,
                   int lead_hours) {
  const at::Device device = run.device();
  const Inputs inputs{
      at::full({1}, static_cast<double>(lead_hours), at::kFloat).to(device), {0}, 0, false, nullptr};
  // The prediction becomes the next state where it lies.
  at::Tensor next_TKP = run.chain.predict(state_TKP.unsqueeze(0).to(device), inputs).cpu().squeeze(0);
  const TokenGrid& grid = run.shape.grid;
  const Span variables = grid.variables_of(run.tokens);
  for (int64_t v = variables.begin; v < variables.end; ++v) {
    const VariableScale& scale = scales[static_cast<size_t>(v)];
    at::Tensor next_tP = of_variable(next_TKP, grid, run.tokens, v);
    const at::Tensor now_tP = of_variable(state_TKP, grid, run.tokens, v);
    if (!scale.target) {
      next_tP.copy_(now_tP);
    } else if (run.options.data.predict == Predict::difference) {
      next_tP.mul_(scale.difference / scale.deviation).add_(now_tP);
    }
  }
  return next_TKP;
}

void require_forcings(const Run& run, const std::vector<VariableScale>& scales, int64_t time) {
  std::string names;
  for (size_t v = 0; v < scales.size(); ++v) {
    if (scales[v].forcing) names += (names.empty() ? "" : ", ") + run.options.data.variables[v];
  }
  const auto& times = run.source->catalog().times;
  if (names.empty() || std::binary_search(times.begin(), times.end(), time)) return;
  refuse("forecast", "the model reads ", names, " at each step, but the data have nothing at ",
         format_time(time), ": give fewer steps, or data that reach so far");
}

void read_forcings(const Run& run, const std::vector<VariableScale>& scales, const at::Tensor& state_TKP,
                   int64_t time) {
  require_forcings(run, scales, time);
  const auto& times = run.source->catalog().times;
  const auto found = std::lower_bound(times.begin(), times.end(), time);
  const Span variables = run.shape.grid.variables_of(run.tokens);
  for (int64_t v = variables.begin; v < variables.end; ++v) {
    const auto variable = static_cast<size_t>(v);
    if (!scales[variable].forcing) continue;
    const VariableStatistics& statistics = run.statistics.of(run.options.data.variables[variable]);
    of_variable(state_TKP, run.shape.grid, run.tokens, v)
        .copy_(read_patches(*run.source, loader_options(run.options, run.shape, run.mesh, run.tokens), v,
                            found - times.begin(), &statistics));
  }
}

}  // namespace graticule

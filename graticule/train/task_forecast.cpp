// Forecast: the model predicts the state of its targets one lead later. train.rollout and data.history reach over
// several leads (forecast_loss.h); evaluate.h scores it, and forecast.h writes it.

#include <algorithm>

#include "graticule/core/error.h"
#include "graticule/train/evaluate.h"
#include "graticule/train/forecast_loss.h"
#include "graticule/train/ranges.h"
#include "graticule/train/run_log.h"
#include "graticule/train/task.h"

namespace graticule {

namespace {

void fill_variables(DataOptions& data, const Catalog& catalog) {
  if (data.variables.empty()) {
    for (const Variable& variable : catalog.variables) data.variables.push_back(variable.name);
  }
  for (const std::string& name : data.variables) catalog.index_of(name);
  if (data.targets.empty()) {
    for (const std::string& name : data.variables) {
      if (!catalog.variables[catalog.index_of(name)].constant) data.targets.push_back(name);
    }
  }
  for (const std::string& name : data.targets) {
    if (catalog.variables[catalog.index_of(name)].constant) {
      refuse("data", "target '", name, "' does not change in time: leave it out of data.targets");
    }
    if (std::find(data.variables.begin(), data.variables.end(), name) == data.variables.end()) {
      refuse("data", "target '", name, "' is not among data.variables: add it there");
    }
  }
}

// Whether a variable's future is computed and not observed, so that a forecast may read it at later times.
bool known_ahead(const std::string& name) { return name.starts_with("toa_incident_solar_radiation"); }

// Refuses variables that a step of train.rollout would have to read from the future.
void refuse_unpredicted(const Options& options, const DataOptions& data, const Catalog& catalog) {
  std::string names;
  for (const std::string& name : data.variables) {
    const bool target = std::find(data.targets.begin(), data.targets.end(), name) != data.targets.end();
    if (target || known_ahead(name) || catalog.variables[catalog.index_of(name)].constant) continue;
    names += (names.empty() ? "" : ", ") + name;
  }
  if (options.train.rollout == 1 || names.empty()) return;
  refuse("train", "train.rollout = ", options.train.rollout, " feeds forecasts back, but no forecast has ",
         names, ": add them to data.targets, or leave them out of data.variables");
}

class ForecastTask : public Task {
 public:
  bool looks_ahead() const override { return true; }

  void choose(Options& options, const Catalog& catalog) const override {
    fill_variables(options.data, catalog);
    refuse_unpredicted(options, options.data, catalog);
  }

  at::Tensor train(Chain& chain, const std::vector<Batch>& parts, const Options& options,
                   const Mesh&) const override {
    return train_forecast(chain, parts, options);
  }

  at::Tensor weight(const Batch& batch) const override { return weight_of_steps(batch); }

  // The first lead, few samples, no baselines.
  double validate(Run& run, const World& world, RunLog* log) const override {
    EvaluationOptions options;
    options.range = part_of_data(run.options.data, SplitPart::valid, run.source->catalog());
    options.max_samples = run.options.run.eval_samples;
    options.baselines = false;
    const Evaluation evaluation = evaluate(run, world, options);
    if (log) log->evaluation(run.step, evaluation);
    for (size_t i = 0; log && i < evaluation.gaps.size(); ++i) log->say(evaluation.gaps[i]);
    return validation_score(run, evaluation);
  }
};

}  // namespace

const Task& forecast_task() {
  static const ForecastTask task;
  return task;
}

}  // namespace graticule

#include "graticule/train/evaluate.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "graticule/core/error.h"
#include "graticule/data/patches.h"
#include "graticule/train/build.h"
#include "graticule/train/climatology.h"
#include "graticule/train/ranges.h"
#include "graticule/train/rollout.h"

namespace graticule {

namespace {

// An initial time and its valid times, as indices into the catalogue.
struct Sample {
  int64_t initial;
  std::vector<int64_t> valid;
};

// `states`: how many the model reads (data.history).
std::vector<Sample> samples_of(const Catalog& catalog, const EvaluationOptions& options, int64_t lead_hours,
                               int64_t states) {
  std::vector<Sample> all;
  const auto& times = catalog.times;
  for (size_t i = 0; i < times.size(); ++i) {
    if (!options.range.holds(times[i])) continue;
    Sample sample{static_cast<int64_t>(i), {}};
    bool whole = true;
    for (int64_t k = 1 - states; k <= options.steps && whole; ++k) {
      const int64_t time = times[i] + k * lead_hours * 3600;
      const auto found = catalog.index_of_time(time);
      whole = options.range.holds(time) && found;
      if (whole && k > 0) sample.valid.push_back(*found);
    }
    if (whole) all.push_back(sample);
  }
  if (all.empty()) {
    refuse("eval", "no initial time from ", format_time(options.range.begin, catalog.calendar), " to ",
           format_time(options.range.end, catalog.calendar), " has all of its ", options.steps,
           " valid times ", lead_hours, " h apart in the data",
           states > 1 ? text(" and every earlier state (data.history = ", states, ")") : "",
           ": widen the range or take fewer steps");
  }
  const auto count = static_cast<int64_t>(all.size());
  if (options.max_samples <= 0 || count <= options.max_samples) return all;
  std::vector<Sample> spread;
  for (int64_t i = 0; i < options.max_samples; ++i)
    spread.push_back(all[static_cast<size_t>(i * count / options.max_samples)]);
  return spread;
}

// The weight of each pixel in fp64. to_patches cuts fields in fp32, so it cuts the rows' numbers, and the
// weights are looked up by number.
class PixelWeights {
 public:
  PixelWeights(const TokenGrid& grid, const Catalog& catalog, Convention convention)
      : grid_(grid),
        number_YX_(at::arange(1, grid.lines() + 1, at::kFloat)
                       .unsqueeze(1)
                       .expand({grid.lines(), grid.columns})
                       .contiguous()),
        weight_R_(at::constant_pad_nd(at::tensor(weights_of_rows(grid, catalog, convention), at::kDouble),
                                      {1, 0})) {}

  at::Tensor of(const Span& places) const {
    const at::Tensor number_tP = to_patches(number_YX_, {0, grid_.lines()}, grid_, places);
    return weight_R_.index({number_tP.to(at::kLong)});
  }

 private:
  static std::vector<double> weights_of_rows(const TokenGrid& grid, const Catalog& catalog,
                                             Convention convention) {
    if (catalog.grid == GridKind::sphere) return row_weights(convention, catalog.latitudes);
    return area_weights(catalog, grid);
  }

  const TokenGrid& grid_;
  at::Tensor number_YX_;  // rows are counted from 1; patches have 0 off the grid
  at::Tensor weight_R_;   // by the row's number
};

const char* const kinds[] = {"model", "persistence", "climatology"};
constexpr int64_t climatology_kind = 2;  // has no ACC: it is 0/0

// Sums of all series. A series is one target variable, step and kind of forecast. Scores one variable at a
// time.
class Scorer {
 public:
  Scorer(const Run& run, const EvaluationOptions& options, const std::vector<VariableScale>& scales,
         int64_t samples)
      : run_(run),
        options_(options),
        scales_(scales),
        kind_count_(options.baselines ? 3 : 1),
        sums_(static_cast<int64_t>(run.options.data.targets.size()) * options.steps * kind_count_, samples),
        weights_(run.shape.grid, run.source->catalog(), options.convention) {}

  int64_t series(int64_t target, int64_t step, int64_t kind) const {
    return (target * options_.steps + step) * kind_count_ + kind;
  }
  ScoreSums& sums() { return sums_; }

  // Appends the scores of a target at a step, and the reasons for scores that are not defined.
  void tell(int64_t target, int64_t step, int lead, Evaluation& evaluation) const {
    const Catalog& catalog = run_.source->catalog();
    const std::string& name = run_.options.data.targets[static_cast<size_t>(target)];
    std::map<std::string, std::string> gaps;  // reason -> the scores that are missing for it
    for (int64_t kind = 0; kind < kind_count_; ++kind) {
      const int64_t index = series(target, step, kind);
      Score score = sums_.score(index, options_.convention);
      const bool compared = options_.baselines && kind != climatology_kind;
      if (!options_.baselines) score.acc = std::nan("");  // no climatology, no anomalies
      if (std::isnan(score.rmse) || (compared && std::isnan(score.acc))) {
        std::string& what =
            gaps[sums_.gap(index, kind == climatology_kind ? "the climatology has no value"
                                                           : "it has no value at the initial times")];
        what += text(what.empty() ? "" : ", ", kinds[kind], std::isnan(score.rmse) ? "" : " (ACC)");
      }
      evaluation.lines.push_back({name, (step + 1) * lead, kinds[kind], score, sums_.by_time(index),
                                  catalog.variables[catalog.index_of(name)].units});
    }
    for (const auto& [reason, what] : gaps) {
      evaluation.gaps.push_back(
          text(name, " at ", (step + 1) * lead, " h has no score of ", what, ": ", reason));
    }
  }

  // Adds a forecast. `usual_TKP`: the climatology in physical units, undefined without baselines.
  void add(int64_t step, int64_t sample, int64_t initial_index, int64_t valid_index, const State& state,
           const at::Tensor& usual_TKP) {
    const auto& data = run_.options.data;
    const TokenGrid& grid = run_.shape.grid;
    for (size_t target = 0; target < data.targets.size(); ++target) {
      const auto v = std::find(data.variables.begin(), data.variables.end(), data.targets[target]) -
                     data.variables.begin();
      const Span places = places_of(grid, run_.tokens, v);
      if (places.empty()) continue;
      const at::Tensor truth_tP = variable_at(run_, v, valid_index);
      const at::Tensor weight_tP = weights_.of(places);
      const at::Tensor usual_tP =
          options_.baselines ? of_variable(usual_TKP, grid, run_.tokens, v) : at::zeros_like(truth_tP);
      const auto count = [&](int64_t kind, const at::Tensor& forecast_tP) {
        sums_.add(series(static_cast<int64_t>(target), step, kind), sample, forecast_tP, truth_tP, usual_tP,
                  weight_tP);
      };
      count(0, forecast_of(run_, scales_, state, v));
      if (options_.baselines) {
        // Persistence is read from the data again, because the normalised state is rounded.
        count(1, variable_at(run_, v, initial_index));
        count(2, usual_tP);
      }
    }
  }

 private:
  const Run& run_;
  const EvaluationOptions& options_;
  const std::vector<VariableScale>& scales_;
  int64_t kind_count_;
  ScoreSums sums_;
  PixelWeights weights_;
};

}  // namespace

Evaluation evaluate(Run& run, const World& world, const EvaluationOptions& options) {
  const Catalog& catalog = run.source->catalog();
  int lead = 0;
  std::vector<Sample> samples;
  Span mine;
  std::optional<Climatology> climatology;
  agree(world, run.mesh.world, [&] {
    lead = chosen_lead(run, options.lead_hours);
    samples = samples_of(catalog, options, lead, run.shape.grid.states);
    mine = span_of(std::ssize(samples), run.mesh.data.size(), run.mesh.data.rank());
    if (!options.baselines) return;
    std::vector<int64_t> valid_times;
    for (const Sample& sample : samples) {
      for (const int64_t index : sample.valid)
        valid_times.push_back(catalog.times[static_cast<size_t>(index)]);
    }
    // wb1 and climax take anomalies from the time mean of the truth that is scored.
    const bool own_mean = options.convention != Convention::wb2;
    climatology.emplace(*run.source, loader_options(run.options, run.shape, run.mesh, run.tokens),
                        own_mean ? options.range : part_of_data(run.options.data, SplitPart::train, catalog),
                        valid_times, Span{mine.begin * options.steps, mine.end * options.steps},
                        own_mean ? ClimatologyKind::time_mean : run.options.run.climatology);
  });

  const auto count = static_cast<int64_t>(samples.size());
  const std::vector<VariableScale> scales = variable_scales(run, lead);
  Scorer scorer(run, options, scales, count);
  // Every rank predicts equally often, with or without samples of its own, because predict() is collective.
  const int64_t rounds = span_of(count, run.mesh.axes.data, 0).size();
  for (int64_t round = 0; round < rounds; ++round) {
    const bool counts = round < mine.size();
    const int64_t index = counts ? mine.begin + round : 0;
    const Sample& sample = samples[static_cast<size_t>(index)];
    State state = state_at(run, scales, states_before(run, sample.initial, lead));
    for (int64_t step = 0; step < options.steps; ++step) {
      advance(run, world, scales, state, lead);
      const int64_t valid = sample.valid[static_cast<size_t>(step)],
                    time = catalog.times[static_cast<size_t>(valid)];
      if (counts) {
        scorer.add(step, index, sample.initial, valid, state,
                   climatology ? climatology->at(time) : at::Tensor());
      }
      if (step + 1 < options.steps) read_forcings(run, scales, state);
    }
  }
  scorer.sums().merge(run.mesh.stage.all_reduce(scorer.sums().values()).wait());

  Evaluation evaluation{{}, {}, {}, lead, climatology ? climatology->description() : ""};
  for (const Sample& sample : samples)
    evaluation.initial_times.push_back(catalog.times[static_cast<size_t>(sample.initial)]);
  for (size_t target = 0; target < run.options.data.targets.size(); ++target) {
    for (int64_t step = 0; step < options.steps; ++step)
      scorer.tell(static_cast<int64_t>(target), step, lead, evaluation);
  }
  return evaluation;
}

}  // namespace graticule

#include "cli/plan_dry_run.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/memory_report.h"
#include "graticule/dry/choose_layout.h"
#include "graticule/dry/settle.h"
#include "graticule/train/build.h"

namespace graticule {

namespace {

// The FLOPs of a sample in a step: forward and backward, for each step of train.rollout.
double step_flops(const Problem& problem) {
  return flops(problem.shape).step() * static_cast<double>(problem.options.train.rollout);
}

nlohmann::json report(const DryRun& run, const DryRank& place, const Problem& problem) {
  const ModelShape& shape = problem.shape;
  nlohmann::json json = to_json(run.peak), sent = nlohmann::json::object(), axes = nlohmann::json::object();
  for (const auto& [label, traffic] : run.traffic) {
    sent[label] = {{"bytes", traffic.bytes_sent}, {"operations", traffic.operations}};
  }
  for (const Axis axis : all_axes) axes[std::string(name_of(axis))] = run.axes.degree(axis);
  json["rank"] = place.rank, json["ranks"] = place.ranks, json["axes"] = axes;
  json["tokens"] = {run.tokens.begin, run.tokens.end};
  json["samples"] = {run.samples.begin, run.samples.end};
  json["parameters"] = parameters(shape), json["owned_parameters"] = run.owned;
  json["flops_a_sample"] = {{"forward", flops(shape).forward()}, {"step", step_flops(problem)}};
  json["sent"] = sent;
  return json;
}

// Chooses the layout as `train` does when the recipe leaves it open. Returns the sentence that `train` logs.
std::optional<std::string> planned_as_in_training(Problem& problem, const DryRank& place) {
  const auto chosen = chosen_layout(problem.options, problem.shape, place.ranks, place.local_size,
                                    memory_limit_of(problem.options, place.local_size));
  if (!chosen) return std::nullopt;
  problem.options = with_layout(problem.options, chosen->layout);
  return chosen->why;
}

}  // namespace

int show_dry_run(const DryRunArguments& arguments, bool json) {
  Problem problem = define_problem(read_recipe(arguments.recipe, arguments.set));
  const DryRank& place = arguments.place;
  validate(place);
  // The number of threads matters, because kernels take scratch memory for each thread.
  World node;
  node.local_size = place.local_size;
  set_threads(problem.options.train.threads, node);
  const auto planned = planned_as_in_training(problem, place);
  const DryRun run = dry_run(problem.options, problem.shape, place);
  if (json) {
    fmt::print("{}\n", report(run, place, problem).dump());
    return 0;
  }
  if (planned) fmt::print("{}\n", *planned);
  const int64_t tokens = problem.shape.grid.tokens();
  fmt::print("rank {} of {} ({}): tokens {} to {} of {}, samples {} to {} of {}, owns {} of {} parameters\n",
             place.rank, place.ranks, described(run.axes, problem.options, problem.shape), run.tokens.begin,
             run.tokens.end, tokens, run.samples.begin, run.samples.end, problem.options.data.batch,
             run.owned, parameters(problem.shape));
  fmt::print("a sample takes {:.4g} FLOPs forward, {:.4g} a step, over all ranks\n",
             flops(problem.shape).forward(), step_flops(problem));
  fmt::print("tensors at the peak of a step:\n{}\n", table_of(run.peak));
  if (run.traffic.empty()) fmt::print("sends nothing\n");
  for (const auto& [label, traffic] : run.traffic) {
    fmt::print("sent a step over {:<20} {:>12} in {} operations\n", label, gib(traffic.bytes_sent),
               traffic.operations);
  }
  return 0;
}

}  // namespace graticule

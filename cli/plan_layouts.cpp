#include "cli/plan_layouts.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/explain_layout.h"
#include "cli/plan_report.h"
#include "graticule/core/error.h"
#include "graticule/dry/dry_run.h"
#include "graticule/plan/advice.h"
#include "graticule/plan/reasons.h"
#include "graticule/train/aside_file.h"
#include "graticule/train/build.h"

namespace graticule {

namespace {

constexpr size_t shown = 10;

Options recipe_of(const LayoutArguments& arguments) {
  Options options = read_recipe(arguments.recipe, arguments.set);
  if (!arguments.free) return options;
  options.parallel = {};
  options.train.activations.reset();
  for (const std::string& key : layout_keys()) options.named.erase(key);
  return options;
}

void refuse_ranks(const Question& question) {
  const NearestRanks nearest = nearest_ranks(question);
  const auto count = [](const std::optional<int>& ranks) {
    return ranks ? std::to_string(*ranks) : std::string("none");
  };
  refuse("plan", "no layout of ", question.ranks, " ranks agrees with the recipe. ", trouble_of(question),
         "\nThe nearest numbers of ranks that work: below ", count(nearest.below), ", above ",
         count(nearest.above));
}

void refuse_memory(const Question& question, const Candidate& leanest) {
  std::string changes;
  for (const Remedy& remedy : remedies_for(question)) {
    changes +=
        text("\n  ", remedy.change, ": ", described(remedy.best.layout), " then takes ",
             seconds_text(remedy.best.time.total()), " a step and holds ", gib(remedy.best.memory.total()));
  }
  refuse("plan", "no layout of ", question.ranks, " ranks of ", question.cluster.name,
         " fits. The leanest is ", described(leanest.layout), ": ", why_too_large(leanest, question.memory),
         changes.empty() ? ".\nNeither more of these devices, nor bf16, train.state_in, a smaller batch or "
                           "larger patches help: choose a smaller model"
                         : text(".\nEach of these changes makes a layout fit:", changes));
}

/// The result of a dry run: the fullest rank of the best layout and the bytes of its tensors.
struct Check {
  int rank;
  int64_t bytes;
};

// Attention calls and tiles in a rank's step. The time of a dry run grows with them.
int64_t calls_of(const Question& question, const Layout& layout) {
  const ParallelOptions& p = layout.parallel;
  const int64_t blocks = question.shape.depth / p.pipeline + 1;
  const int64_t tiles =
      question.shape.grid.tokens() / (p.context * p.ulysses) / question.options.train.tile_tokens;
  const int64_t attention = p.head_groups * (p.context_method == ContextMethod::ring ? p.context : 1);
  return p.micro_batches * blocks * (attention + tiles);
}

// Makes the dry run; nothing if it would take longer than some seconds.
std::optional<Check> check_of(const Question& question, const Candidate& best) {
  constexpr int64_t most_calls = 8'000;
  if (calls_of(question, best.layout) > most_calls) return std::nullopt;
  const Axes axes = axes_of(best.layout);
  const int rank = best.stage * (axes.world() / axes.pipeline);
  const int node = static_cast<int>(std::min<int64_t>(question.cluster.devices_per_node, question.ranks));
  const Options options = with_layout(question.options, best.layout);
  return Check{rank, dry_run(options, question.shape, {question.ranks, rank, node}).peak.total()};
}

std::string described(const std::optional<Check>& check) {
  if (!check) return "No dry run of the best layout was made: its many calls would take long.";
  return text("A dry run of rank ", check->rank, ", the fullest of the best layout, holds ",
              gib(check->bytes), ".");
}

void print_head(const Question& question, const Plan& plan) {
  const Cluster& cluster = question.cluster;
  fmt::print(
      "{} ranks of {}: {} tokens a sample, {} samples a step, {:.4g} parameters; a rank may hold {}{}\n",
      question.ranks, cluster.name, question.shape.grid.tokens(), question.options.data.batch,
      static_cast<double>(parameters(question.shape)), gib(question.memory),
      question.options.train.memory_gib > 0
          ? " (train.memory_gib)"
          : fmt::format(" ({} less {:.0f} % for the runtime)", gib(static_cast<int64_t>(cluster.memory)),
                        100 * runtime_reserve));
  fmt::print(
      "{} combinations of degrees, context method, schedule, micro-batches and activations were "
      "compared. The best, each in its best variant:\n\n",
      plan.frames);
}

void write_recipe(const LayoutArguments& arguments, const Options& recipe, const Question& question,
                  const Candidate& best) {
  std::error_code missing;
  if (std::filesystem::equivalent(arguments.write, arguments.recipe, missing)) {
    refuse("plan", "--write ", arguments.write, " is the recipe itself: name another file");
  }
  write_whole(arguments.write,
              text("# ", arguments.recipe, " with the best layout for ", question.ranks, " ranks of ",
                   question.cluster.name, ": ", described(best.layout), "\n# ranks: ", question.ranks, "\n\n",
                   to_toml(with_layout(recipe, best.layout))),
              "plan");
}

}  // namespace

int show_layouts(const LayoutArguments& arguments, bool json) {
  const Options recipe = recipe_of(arguments);
  const Cluster cluster = cluster_named(arguments.cluster);
  const Problem problem = define_problem(options_on(cluster, recipe));
  const Question question{cluster, problem.options, problem.shape, arguments.ranks,
                          usable_memory(cluster, problem.options)};
  const Plan plan = plan_layouts(question, shown);
  if (plan.frames == 0) refuse_ranks(question);
  if (plan.best.empty()) refuse_memory(question, *plan.leanest);

  const std::optional<Check> check = check_of(question, plan.best.front());
  const std::vector<std::string> reasons = reasons_for(plan, question.memory);
  nlohmann::json report = {{"cluster", cluster.name},
                           {"ranks", question.ranks},
                           {"memory_limit_bytes", question.memory},
                           {"tokens", question.shape.grid.tokens()},
                           {"parameters", parameters(question.shape)},
                           {"batch", problem.options.data.batch},
                           {"frames", plan.frames},
                           {"reasons", reasons},
                           {"best", nlohmann::json::array()}};
  for (const Candidate& candidate : plan.best) report["best"].push_back(to_json(question, candidate));
  if (check) report["checked"] = {{"rank", check->rank}, {"peak_bytes", check->bytes}};
  if (plan.too_large) report["too_large"] = to_json(question, *plan.too_large);
  if (!json) {
    print_head(question, plan);
    print_table(question, plan.best);
    fmt::print("\n{}\n", described(check));
    fmt::print("\nThe best is {}.\n", described(plan.best.front().layout));
    for (const std::string& sentence : reasons) fmt::print("{}\n", sentence);
  }
  if (!arguments.explain.empty()) report["explained"] = explain(question, plan, arguments.explain, json);
  if (!arguments.write.empty()) {
    write_recipe(arguments, recipe, question, plan.best.front());
    report["written"] = arguments.write;
    if (!json) fmt::print("\nThe recipe with it is written to {}.\n", arguments.write);
  }
  if (json) fmt::print("{}\n", report.dump());
  return 0;
}

}  // namespace graticule

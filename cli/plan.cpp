#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/job.h"
#include "cli/plan_dry_run.h"
#include "cli/plan_layouts.h"
#include "graticule/core/error.h"
#include "graticule/parallel/timeline.h"

namespace graticule {

namespace {

struct PlanArguments {
  std::string show, kind = "1f1b";
  int stages = 0, micro_batches = 0, chunks = 1;
  std::vector<double> costs = {1, 1, 1};
  DryRunArguments dry;
  LayoutArguments layouts;
  bool runs_dry = false, calibrates = false;
  bool json = false;
};

StageCosts costs_of(const std::vector<double>& costs) {
  if (costs.size() != 3 && costs.size() != 4) {
    refuse("plan", "--costs with ", costs.size(),
           " numbers: give 3 (forward, gradient of the input, gradient of the weights) or 4 (sending too)");
  }
  return {costs[0], costs[1], costs[2], costs.size() == 4 ? costs[3] : 0};
}

std::string_view word_for(StageAction::Kind kind) {
  switch (kind) {
    case StageAction::Kind::forward:
      return "forward";
    case StageAction::Kind::backward:
      return "backward";
    case StageAction::Kind::backward_input:
      return "backward_input";
    case StageAction::Kind::backward_weight:
      return "backward_weight";
  }
  GRATICULE_CHECK(false, "action ", static_cast<int>(kind));
}

nlohmann::json report(const Timeline& timeline) {
  nlohmann::json ranks = nlohmann::json::array();
  for (const auto& rank : timeline.ranks) {
    nlohmann::json actions = nlohmann::json::array();
    for (const auto& [action, start, end] : rank) {
      actions.push_back({{"kind", word_for(action.kind)},
                         {"chunk", action.chunk},
                         {"micro_batch", action.micro},
                         {"start", start},
                         {"end", end}});
    }
    ranks.push_back(std::move(actions));
  }
  return {{"kind", name_of(timeline.kind)},
          {"stages", timeline.stages},
          {"chunks", timeline.chunks},
          {"micro_batches", timeline.micro_batches},
          {"length", length_of(timeline)},
          {"bubble_share", bubble_share(timeline)},
          {"most_in_flight", most_in_flight(timeline)},
          {"ranks", std::move(ranks)}};
}

int show_schedule(const PlanArguments& a) {
  const Timeline timeline =
      simulate(schedule_named(a.kind), a.stages, a.chunks, a.micro_batches, costs_of(a.costs));
  std::cout << (a.json ? report(timeline).dump() + "\n" : drawn(timeline));
  return 0;
}

int run_plan(const PlanArguments& arguments) {
  if (arguments.runs_dry) return show_dry_run(arguments.dry, arguments.json);
  if (!arguments.layouts.cluster.empty()) {
    LayoutArguments layouts = arguments.layouts;
    layouts.recipe = arguments.dry.recipe, layouts.set = arguments.dry.set;
    layouts.ranks = arguments.dry.place.ranks;
    return show_layouts(layouts, arguments.json);
  }
  if (!arguments.layouts.write.empty()) {
    refuse("plan", "--write ", arguments.layouts.write,
           ": there is nothing to write: give RECIPE --cluster NAME --ranks N, or --calibrate");
  }
  if (arguments.show == "schedule") return show_schedule(arguments);
  if (arguments.show.empty()) {
    refuse("plan",
           "nothing to do: give RECIPE --ranks N with --cluster NAME or --dry-run RANK, --show schedule, or "
           "--calibrate");
  }
  refuse("plan", "--show ", arguments.show, ": choose schedule");
}

void add_layouts_and_dry_run(CLI::App& command, PlanArguments& a) {
  auto* recipe = command.add_option("recipe", a.dry.recipe, "The recipe, a TOML file");
  auto* ranks = command.add_option("--ranks", a.dry.place.ranks, "Ranks of the run");
  auto* cluster =
      command.add_option("--cluster", a.layouts.cluster,
                         "Print the fastest layouts that fit on this machine (a name of clusters/, "
                         "or a TOML file); layout keys that the recipe gives are kept");
  command.add_flag("--free", a.layouts.free, "Ignore the layout and activations that the recipe gives")
      ->needs(cluster);
  command
      .add_option("--explain", a.layouts.explain,
                  "Compare this layout with the best: data=2,ulysses=4,shard=full,activations=recompute")
      ->needs(cluster);
  command.add_option("--write", a.layouts.write,
                     "File for the recipe with the best layout; with --calibrate for the machine (default: "
                     "clusters/here.toml)");
  auto* rank = command.add_option("--dry-run", a.dry.place.rank,
                                  "Run a step of this rank without data: print its memory and what it sends");
  cluster->needs(recipe)->needs(ranks)->excludes(rank);
  rank->needs(recipe)->needs(ranks)->each([&a](const std::string&) { a.runs_dry = true; });
  command.add_option("--local-size", a.dry.place.local_size, "Ranks on each node, for --dry-run")
      ->capture_default_str();
  command.add_option("--set", a.dry.set, "section.key=value, wins over the recipe")->allow_extra_args(false);
}

}  // namespace

void add_plan(CLI::App& app, Action& action,
              std::function<int(const std::string& path, const World& world)> calibrate) {
  auto* command = app.add_subcommand("plan", "Predict what a run would do, without running it");
  const auto a = std::make_shared<PlanArguments>();
  add_layouts_and_dry_run(*command, *a);
  auto* show =
      command->add_option("--show", a->show, "schedule: draw the pipeline's order and its idle time");
  command->add_option("--kind", a->kind, "gpipe, 1f1b, interleaved or zero_bubble")->capture_default_str();
  auto* stages = command->add_option("--stages", a->stages, "Ranks of the pipeline");
  auto* micro_batches = command->add_option("--micro-batches", a->micro_batches, "Micro-batches of a step");
  show->needs(stages)
      ->needs(micro_batches)
      ->excludes("--dry-run")
      ->excludes("--ranks")
      ->excludes("--cluster");
  command->add_option("--chunks", a->chunks, "Chunks of the model on each rank; 2 or more with interleaved")
      ->capture_default_str();
  command
      ->add_option(
          "--costs", a->costs,
          "Times of a chunk's forward, gradient of the input, gradient of the weights, and optionally of "
          "sending (default: 1,1,1). A drawn cell is one unit of time, so whole numbers are best")
      ->delimiter(',');
  command->add_flag("--json", a->json, "Print JSON");
  command
      ->add_flag("--calibrate", a->calibrates,
                 "Measure this machine with the ranks of this job, for --cluster here")
      ->excludes("--cluster")
      ->excludes("--dry-run")
      ->excludes("--show");
  command->callback([&action, a, calibrate = std::move(calibrate)] {
    action = [a, calibrate] {
      if (!a->calibrates) return run_alone([&] { return run_plan(*a); });
      return run_job([&](const World& world) { return calibrate(a->layouts.write, world); });
    };
  });
}

}  // namespace graticule

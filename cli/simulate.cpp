#include "cli/simulate.h"

#include <fmt/format.h>

#include <sstream>

#include "cli/commands.h"
#include "cli/job.h"
#include "graticule/core/error.h"
#include "graticule/dry/choose_layout.h"
#include "graticule/plan/planner.h"
#include "graticule/plan/time.h"
#include "graticule/recipe/layout.h"
#include "graticule/simulate/file_time.h"
#include "graticule/train/aside_file.h"
#include "graticule/train/build.h"

namespace graticule {

namespace {

struct SimulateArguments {
  std::string recipe, cluster, trace, picture, slow;
  std::vector<std::string> set;
  int ranks = 0;
  double jitter = 0, spread = 0, other_jobs = 0;
  std::optional<double> overlap;
  bool read = false;
  int64_t checkpoint_every = 0;
  SimulationOptions options;
  bool json = false;
};

constexpr int most_drawn = 64;

// The ranks to draw: all of a small world, else the first of each class of ranks with equal work.
std::vector<int> ranks_to_draw(const WorldTraces& traces) {
  std::vector<int> ranks;
  std::vector<bool> seen(traces.traces.size(), false);
  for (size_t rank = 0; rank < traces.ranks.size(); ++rank) {
    const size_t trace = traces.ranks[rank].trace;
    if (traces.ranks.size() > most_drawn && (seen[trace] || ranks.size() == most_drawn)) continue;
    seen[trace] = true;
    ranks.push_back(static_cast<int>(rank));
  }
  return ranks;
}

// Reads "K" or "K:FACTOR".
void read_slow_nodes(const std::string& text, SimulationOptions& options) {
  if (text.empty()) return;
  std::istringstream stream(text);
  char colon = ':';
  stream >> options.slow_nodes;
  const bool alone = stream.eof();
  if (!alone) stream >> colon >> options.slow_factor;
  if (stream.fail() || !stream.eof() || colon != ':')
    refuse("simulate", "--slow-nodes ", text,
           ": give a number of nodes, or a number and a factor, as in 2 or 2:1.5");
}

// What a step waits for the file system. Samples are read ahead, while the step before computes. A checkpoint
// is written between two steps.
FileWaits file_waits(const SimulateArguments& a, const SimulatedStep& step) {
  if (a.checkpoint_every < 0)
    refuse("simulate", "--checkpoint-every ", a.checkpoint_every, ": choose 0 or more");
  if (!a.read && a.checkpoint_every == 0) return {};
  const FileTime time = file_time(step.options, step.shape, step.cluster, a.ranks);
  FileWaits waits;
  if (a.read) waits.reading = std::max(0.0, time.read - step.simulation.seconds);
  if (a.checkpoint_every > 0) waits.checkpoints = time.checkpoint / static_cast<double>(a.checkpoint_every);
  return waits;
}

int run_simulate(SimulateArguments a) {
  const Cluster cluster = cluster_named(a.cluster);
  const Problem problem = define_problem(options_on(cluster, read_recipe(a.recipe, a.set)));
  SimulatedStep step{problem.options, problem.shape, {}, cluster, {}, 0, {}};
  if (a.ranks < 1) refuse("simulate", a.ranks, " ranks: choose 1 or more");
  const auto chosen =
      chosen_layout(step.options, step.shape, a.ranks, cluster, usable_memory(cluster, step.options));
  if (chosen) step.options = with_layout(step.options, chosen->layout);
  step.axes = resolve_axes(step.options, a.ranks, step.shape);
  fill_in(step.options.parallel, step.axes);
  step.closed_form = time_of_step(step.cluster, step.options, step.shape, step.axes).total();
  read_slow_nodes(a.slow, a.options);
  a.options.jitter = a.jitter / 100, a.options.spread = a.spread / 100;
  a.options.other_jobs = a.other_jobs / 100;
  a.options.overlap = a.overlap.value_or(step.cluster.overlap);
  const WorldTraces traces =
      traces_of_world(step.options, step.shape, a.ranks, static_cast<int>(step.cluster.devices_per_node));
  if (!a.trace.empty() || !a.picture.empty()) a.options.drawn = ranks_to_draw(traces);
  step.simulation = simulate_step(traces, step.cluster, step.options.train.precision, a.options);
  step.files = file_waits(a, step);
  if (!a.trace.empty())
    write_whole(a.trace, trace_of(step.simulation, step.cluster.devices_per_node), "simulate");
  if (!a.picture.empty()) {
    write_whole(a.picture,
                picture_of(step.simulation, fmt::format("{} ranks of {}: {}", a.ranks, step.cluster.name,
                                                        described(step.axes))),
                "simulate");
  }
  print_simulation(step, a.json);
  return 0;
}

}  // namespace

void add_simulate(CLI::App& app, Action& action) {
  auto* command =
      app.add_subcommand("simulate", "Simulate a training step on a whole machine, with its network");
  const auto a = std::make_shared<SimulateArguments>();
  command->add_option("recipe", a->recipe, "The recipe, a TOML file")->required();
  command->add_option("--cluster", a->cluster, "A name of clusters/, or a TOML file")->required();
  command->add_option("--ranks", a->ranks, "Ranks, one a device")->required();
  command->add_option("--trace", a->trace, "Write this JSON file for ui.perfetto.dev");
  command->add_option("--picture", a->picture, "Write this SVG file");
  command->add_option("--jitter", a->jitter, "Standard deviation of kernels' times, in percent")
      ->capture_default_str();
  command->add_option("--spread", a->spread, "Standard deviation of the devices' pace, in percent")
      ->capture_default_str();
  command->add_option("--slow-nodes", a->slow,
                      "K or K:FACTOR: K nodes compute slower by FACTOR (default 1.5)");
  command->add_option("--seed", a->options.seed, "Seed of jitter, spread and the choice of slow nodes")
      ->capture_default_str();
  command
      ->add_option("--other-jobs", a->other_jobs,
                   "Share that other jobs take of the links above nodes, in percent")
      ->capture_default_str();
  command->add_flag("--read", a->read, "Count the reading of samples from the cluster's file system");
  command->add_option("--checkpoint-every", a->checkpoint_every, "Count a checkpoint every N steps; 0: none")
      ->capture_default_str();
  command->add_option("--overlap", a->overlap,
                      "Share of an exchange that overlaps with computation (default: the cluster's)");
  command->add_option("--set", a->set, "section.key=value, wins over the recipe")->allow_extra_args(false);
  command->add_flag("--json", a->json, "Print JSON");
  command->callback([&action, a] { action = [a] { return run_alone([&] { return run_simulate(*a); }); }; });
}

}  // namespace graticule

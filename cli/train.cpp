#include <fstream>
#include <iostream>

#include "cli/choose_layout.h"
#include "cli/commands.h"
#include "cli/fit.h"
#include "cli/job.h"
#include "cli/memory_report.h"
#include "graticule/core/error.h"
#include "graticule/train/build.h"
#include "graticule/train/layout.h"
#include "graticule/train/loop.h"
#include "graticule/train/memory.h"
#include "graticule/train/run_folder.h"

namespace graticule {

namespace {

struct TrainArguments {
  std::string recipe, resume;
  std::vector<std::string> set;
  bool json = false, memory = false;
};

void say_what_runs(const Run& run) {
  const TokenGrid& grid = run.shape.grid;
  const Axes& axes = run.mesh.axes;
  std::cout << grid.tokens() << " tokens a sample (" << name_of(grid.mode) << ": " << grid.variables
            << " variables, " << grid.rows << " x " << grid.columns << " grid, patch " << grid.patch << "), "
            << parameters(run.shape) << " parameters, " << run.loader->samples_an_epoch()
            << " training samples\n"
            << axes.world() << " ranks: " << described(axes) << "; run folder " << run.options.run.out
            << std::endl;
}

// Why the layout is what it is, where the program chose it.
void log_layout(const std::string& why, const Run& run, bool json) {
  std::ofstream(run.options.run.out + "/log.txt", std::ios::app) << why << "\n";
  if (!json) std::cout << why << std::endl;
}

// From the first allocation on; every tensor is booked in `ledger`.
void run_problem(const TrainArguments& arguments, const Problem& problem,
                 const std::optional<std::string>& planned, const World& world,
                 const std::optional<CheckpointInfo>& checkpoint, const Ledger& ledger) {
  Run run = build(problem, world, true, checkpoint ? std::optional(checkpoint->statistics) : std::nullopt);
  agree(world, run.mesh.world, [&] {
    if (!checkpoint) return;
    load_checkpoint(*checkpoint, run.chain, true);
    run.step = checkpoint->step;
    run.loader->seek(checkpoint->position);
  });
  agree(world, run.mesh.world, [&] {
    if (world.rank == 0) write_whole(run.options.run.out + "/recipe.toml", to_toml(run.options));
  });
  if (world.rank == 0 && !arguments.json) say_what_runs(run);
  if (world.rank == 0 && planned) log_layout(*planned, run, arguments.json);
  train(run, world, arguments.json, ledger);
  if (!arguments.memory) return;
  const RankMemory largest = largest_memory(ledger, run.mesh.world);
  if (world.rank == 0) print_memory(largest, arguments.json);
}

int run_train(const TrainArguments& arguments, const World& world) {
  const Group everyone = group_of_all(world);
  std::optional<Problem> problem;
  std::optional<CheckpointInfo> checkpoint;
  agree(world, everyone, [&] {
    problem.emplace(define_problem(read_recipe(arguments.recipe, arguments.set)));
    set_threads(problem->options.train.threads, world);
  });
  const TrainOptions& train = problem->options.train;
  const auto device = train.device == "cuda" ? c10::DeviceType::CUDA : c10::DeviceType::CPU;
  const auto limit = memory_limit(train.memory_gib, device, world.local_size);
  const auto planned = choose_layout(problem->options, problem->shape, world, everyone, limit);
  agree(world, everyone, [&] { resolve_axes(problem->options, world.size, problem->shape); });
  fit_in_memory(problem->options, problem->shape, world, everyone, limit);
  agree(world, everyone, [&] {
    const std::string& folder = problem->options.run.out;
    if (world.rank == 0) prepare_run_folder(folder, !arguments.resume.empty());
  });
  agree(world, everyone,
        [&] { checkpoint = checkpoint_to_resume(problem->options.run.out, arguments.resume); });
  Ledger ledger(limit);
  const MemoryWatch watch(ledger, device);
  explain_out_of_memory(ledger,
                        [&] { run_problem(arguments, *problem, planned, world, checkpoint, ledger); });
  return 0;
}

}  // namespace

void add_train(CLI::App& app, Action& action) {
  auto* command =
      app.add_subcommand("train", "Train a model by a recipe, alone or over ranks (mpiexec -n P, srun)");
  const auto arguments = std::make_shared<TrainArguments>();
  command->add_option("recipe", arguments->recipe, "The recipe, a TOML file")->required();
  command
      ->add_option("--set", arguments->set,
                   "section.key=value, wins over the recipe; may be given several times")
      ->allow_extra_args(false);
  command->add_option("--resume", arguments->resume,
                      "auto (the run's newest checkpoint, if any) or a checkpoint folder");
  command->add_flag("--json", arguments->json, "Print one JSON object a line instead of progress");
  command->add_flag("--memory", arguments->memory,
                    "At the end, say what the tensors of the fullest rank were for at its peak");
  command->callback([&action, arguments] {
    action = [arguments] {
      return run_job([&](const World& world) { return run_train(*arguments, world); });
    };
  });
}

}  // namespace graticule

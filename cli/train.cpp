#include <fstream>
#include <iostream>

#include "cli/commands.h"
#include "cli/job.h"
#include "cli/memory_report.h"
#include "graticule/core/error.h"
#include "graticule/data/info.h"
#include "graticule/dry/settle.h"
#include "graticule/kernel/torch_types.h"
#include "graticule/recipe/loss_weights.h"
#include "graticule/recipe/remedies.h"
#include "graticule/recipe/same_meaning.h"
#include "graticule/train/aside_file.h"
#include "graticule/train/build.h"
#include "graticule/train/checkpoint.h"
#include "graticule/train/history.h"
#include "graticule/train/loop.h"
#include "graticule/train/memory.h"
#include "graticule/train/run_folder.h"
#include "graticule/train/same_data.h"

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

// Prints and logs what differs from the checkpoint that this job continues from, and what the program chose.
// For rank 0.
void tell(const std::vector<std::string>& sentences, const std::string& run_folder, bool json) {
  std::ofstream log(run_folder + "/log.txt", std::ios::app);
  for (const std::string& sentence : sentences) {
    log << sentence << std::endl;
    if (!json) std::cout << sentence << std::endl;
  }
}

// Reads the checkpoint that the job continues from. Refuses one of another meaning or of other data and fails
// on a damaged one; the cheap checks come first. `told` gets a sentence for everything else that differs.
CheckpointInfo take_up(const std::string& folder, const Problem& problem, std::vector<std::string>& told) {
  CheckpointInfo checkpoint = read_checkpoint_info(folder);
  refuse_another_meaning(checkpoint.path, checkpoint.options, problem.options, TakenUp::to_train);
  told.push_back("resumes from " + checkpoint.path);
  for (const auto& change : course_changes(checkpoint.options, problem.options)) told.push_back(change);
  for (const auto& note : refuse_other_data(checkpoint.path, checkpoint.data, problem.source->catalog()))
    told.push_back(note);
  verify_checkpoint(checkpoint);
  return checkpoint;
}

// Makes the run and trains. All its tensors are booked in `ledger`, from the first allocation on.
void run_problem(const TrainArguments& arguments, const Problem& problem,
                 const std::vector<std::string>& told, const World& world,
                 const std::optional<CheckpointInfo>& checkpoint, const Ledger& ledger) {
  Run run = assemble(problem, world, true, checkpoint ? std::optional(checkpoint->statistics) : std::nullopt);
  agree(world, run.mesh.world, [&] {
    if (!checkpoint) return;
    load_checkpoint(*checkpoint, run.chain, Taken::state);
    run.step = checkpoint->step;
    run.parent = checkpoint->path;
    if (checkpoint->data) run.known_units = checkpoint->data->units;
    run.loader->seek(checkpoint->position);
  });
  agree(world, run.mesh.world, [&] {
    if (world.rank != 0) return;
    start_record(run.options.run.out, run.parent, run.step);
    write_whole(run.options.run.out + "/recipe.toml", to_toml(run.options), "run");
  });
  if (world.rank == 0 && !arguments.json) say_what_runs(run);
  if (world.rank == 0) tell(told, run.options.run.out, arguments.json);
  train(run, world, arguments.json, ledger);
  if (!arguments.memory) return;
  const RankMemory largest = largest_memory(ledger, run.mesh.world);
  if (world.rank == 0) print_memory(largest, arguments.json);
}

Options recipe_of(const TrainArguments& arguments) {
  Options options = read_recipe(arguments.recipe, arguments.set);
  const std::string from =
      arguments.resume.empty() ? "" : checkpoint_to_resume(options.run.out, arguments.resume);
  if (!from.empty()) take_unnamed_form(read_checkpoint_info(from).options, options);
  return options;
}

int run_train(const TrainArguments& arguments, const World& world) {
  const Group everyone = group_of_all(world);
  std::optional<Problem> problem;
  std::optional<CheckpointInfo> checkpoint;
  agree(world, everyone, [&] { problem.emplace(define_problem(recipe_of(arguments))); });
  const Settled settled = settle(*problem, world, everyone);
  std::vector<std::string> told = notes_to_tell(problem->source->catalog());
  if (settled.planned) told.push_back(*settled.planned);
  const Options& options = problem->options;
  if (options.train.loss_weights.any())
    told.push_back(loss_in_words(options.train.loss_weights, options.data.targets));
  std::optional<RunLock> lock;
  std::string resumed;  // rank 0 chooses, because other ranks may see an older folder
  agree(world, everyone, [&] {
    if (world.rank != 0) return;
    const std::string& folder = problem->options.run.out;
    lock.emplace(prepare_run_folder(folder, !arguments.resume.empty()));
    resumed = checkpoint_to_resume(folder, arguments.resume);
    if (!lock->held())
      told.emplace_back("the run folder's disk has no file locks: make sure that no other job trains there");
  });
  resumed = broadcast_text(everyone, resumed, 0);
  if (arguments.resume == "auto" && resumed.empty())
    told.push_back("no checkpoint in " + problem->options.run.out + ": training starts anew");
  agree(world, everyone, [&] {
    if (!resumed.empty()) checkpoint = take_up(resumed, *problem, told);
  });
  Ledger ledger(settled.limit, leaner_than);
  const MemoryWatch watch(ledger, device_type(problem->options.train.device));
  explain_out_of_memory(ledger, [&] { run_problem(arguments, *problem, told, world, checkpoint, ledger); });
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
                    "At the end, print the peak memory of the fullest rank's tensors, by purpose");
  command->callback([&action, arguments] {
    action = [arguments] {
      return run_job([&](const World& world) { return run_train(*arguments, world); });
    };
  });
}

}  // namespace graticule

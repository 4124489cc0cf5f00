#include <filesystem>
#include <fstream>
#include <iostream>

#include "cli/commands.h"
#include "cli/job.h"
#include "cli/memory_report.h"
#include "cli/trained_run.h"
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
  std::string recipe, resume, start_from;
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

// Reads the checkpoint whose weights the run starts from. Data and meaning may differ, as long as the shapes of
// the weights agree; `told` gets a sentence for each difference.
CheckpointInfo start_with(const std::string& folder, const Problem& problem, std::vector<std::string>& told) {
  CheckpointInfo start = read_checkpoint_info(folder);
  told.push_back(text("starts with the ", start.options.train.ema > 0 ? "average of the " : "", "weights of ",
                      start.path, "; optimizer, schedule and statistics begin anew"));
  for (const KeyChange& change : changes_between(start.options, problem.options)) {
    if (change.kind == KeyKind::meaning)
      told.push_back(
          text(change.key, " ", change.before, " -> ", change.now, ": the weights had the first meaning"));
  }
  verify_checkpoint(start);
  return start;
}

// What the weights of a job come from: at most one of the two.
struct Origin {
  std::optional<CheckpointInfo> resumed, start;
};

// Takes what the job goes on from into the run.
void take_in(Run& run, const Origin& origin) {
  if (const auto& start = origin.start) {
    load_checkpoint(*start, run.chain, Taken::weights);
    run.started_from = std::filesystem::absolute(start->path).string();
  }
  if (const auto& checkpoint = origin.resumed) {
    load_checkpoint(*checkpoint, run.chain, Taken::state);
    run.step = checkpoint->step;
    run.parent = checkpoint->path;
    run.started_from = checkpoint->started_from;
    run.validation = checkpoint->validation;
    if (checkpoint->data) run.known_units = checkpoint->data->units;
    run.loader->seek(checkpoint->position);
  }
}

// Makes the run and trains. All its tensors are booked in `ledger`, from the first allocation on.
void run_problem(const TrainArguments& arguments, const Problem& problem,
                 const std::vector<std::string>& told, const World& world, const Origin& origin,
                 const Ledger& ledger) {
  const auto& resumed = origin.resumed;
  Run run = assemble(problem, world, true, resumed ? std::optional(resumed->statistics) : std::nullopt);
  agree(world, run.mesh.world, [&] { take_in(run, origin); });
  agree(world, run.mesh.world, [&] {
    if (world.rank != 0) return;
    start_record(run.options.run.out, run.parent, run.step);
    write_whole(run.options.run.out + "/recipe.toml", to_toml(run.options), "run");
  });
  if (world.rank == 0 && !arguments.json) say_what_runs(run);
  if (world.rank == 0) tell(told, run.options.run.out, arguments.json);
  // The checkpoint of step 0 records the start: a resumed run finds it and does not start again.
  if (origin.start) save_checkpoint(run, world);
  train(run, world, arguments.json, ledger);
  if (!arguments.memory) return;
  const RankMemory largest = largest_memory(ledger, run.mesh.world);
  if (world.rank == 0) print_memory(largest, arguments.json);
}

Options recipe_of(const TrainArguments& arguments) {
  Options options = read_recipe(arguments.recipe, arguments.set);
  std::string from = arguments.resume.empty() ? "" : checkpoint_to_resume(options.run.out, arguments.resume);
  if (from.empty() && !arguments.start_from.empty()) from = find_checkpoint(arguments.start_from);
  if (!from.empty()) take_unnamed_form(read_checkpoint_info(from).options, options);
  return options;
}

int run_train(const TrainArguments& arguments, const World& world) {
  const Group everyone = group_of_all(world);
  std::optional<Problem> problem;
  Origin origin;
  agree(world, everyone, [&] { problem.emplace(define_problem(recipe_of(arguments))); });
  const Settled settled = settle(*problem, world, everyone);
  std::vector<std::string> told = notes_to_tell(problem->source->catalog());
  if (settled.planned) told.push_back(*settled.planned);
  const Options& options = problem->options;
  if (options.train.loss_weights.any())
    told.push_back(loss_in_words(options.train.loss_weights, options.data.targets));
  std::optional<RunLock> lock;
  std::string resumed, start;  // rank 0 chooses, because other ranks may see an older folder
  agree(world, everyone, [&] {
    if (world.rank != 0) return;
    const std::string& folder = problem->options.run.out;
    lock.emplace(prepare_run_folder(folder, !arguments.resume.empty()));
    resumed = checkpoint_to_resume(folder, arguments.resume);
    if (resumed.empty() && !arguments.start_from.empty()) start = find_checkpoint(arguments.start_from);
    if (!lock->held())
      told.emplace_back("the run folder's disk has no file locks: make sure that no other job trains there");
  });
  resumed = broadcast_text(everyone, resumed, 0), start = broadcast_text(everyone, start, 0);
  if (arguments.resume == "auto" && resumed.empty() && start.empty())
    told.push_back("no checkpoint in " + problem->options.run.out + ": training starts anew");
  if (!resumed.empty() && !arguments.start_from.empty())
    told.emplace_back("this run has a checkpoint to go on from: --start-from is not used");
  agree(world, everyone, [&] {
    if (!resumed.empty()) origin.resumed = take_up(resumed, *problem, told);
    if (!start.empty()) origin.start = start_with(start, *problem, told);
  });
  Ledger ledger(settled.limit, leaner_than);
  const MemoryWatch watch(ledger, device_type(problem->options.train.device));
  explain_out_of_memory(ledger, [&] { run_problem(arguments, *problem, told, world, origin, ledger); });
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
  command->add_option(
      "--start-from", arguments->start_from,
      "Begin with the weights of another run or checkpoint; ignored when --resume finds a checkpoint");
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

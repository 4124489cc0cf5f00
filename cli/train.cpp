#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "cli/commands.h"
#include "cli/job.h"
#include "cli/memory_report.h"
#include "cli/run_record.h"
#include "cli/supervise.h"
#include "cli/trained_run.h"
#include "graticule/core/error.h"
#include "graticule/core/trace.h"
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
#include "graticule/train/weights_file.h"

namespace graticule {

namespace {

struct TrainArguments {
  std::string recipe, resume, start_from;
  std::vector<std::string> set;
  bool json = false, memory = false, replan = false;
  Supervised supervised;
};

void say_what_runs(const Run& run) {
  const TokenGrid& grid = run.shape.grid;
  const Axes& axes = run.mesh.axes;
  std::cout << grid.tokens() << " tokens a sample (" << name_of(grid.mode) << ": " << grid.variables
            << " variables, " << size_in_words(grid) << " grid, patch " << in_words(grid.patch) << "), "
            << parameters(run.shape) << " parameters, " << run.loader->samples_an_epoch()
            << " training samples\n"
            << axes.world() << " ranks: " << described(axes, run.options, run.shape) << "; run folder "
            << run.options.run.out << std::endl;
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
  return checkpoint;
}

// Reads the checkpoint whose weights the run starts from. Data and meaning may differ, as long as the shapes of
// the weights agree; `told` gets a sentence for each difference.
CheckpointInfo start_with(const std::string& folder, const Problem& problem, std::vector<std::string>& told) {
  CheckpointInfo start = read_checkpoint_info(folder);
  const int64_t theirs = start.options.model.depth, ours = problem.options.model.depth;
  if (start.options.task.kind != problem.options.task.kind && theirs != ours)
    refuse("checkpoint", start.path, " has ", theirs, " transformer blocks, the recipe's model has ", ours,
           ": set model.depth = ", theirs);
  told.push_back(text("starts with the ", start.options.train.ema > 0 ? "average of the " : "", "weights of ",
                      start.path, "; optimizer, schedule and statistics begin anew"));
  if (start.options.task.kind != problem.options.task.kind)
    told.push_back(text("its task is ", name_of(start.options.task.kind), ", so the head is not taken"));
  for (const KeyChange& change : changes_between(start.options, problem.options)) {
    if (change.kind == KeyKind::meaning)
      told.push_back(
          text(change.key, " ", change.before, " -> ", change.now, ": the weights had the first meaning"));
  }
  return start;
}

// Whether the weights to start from are named by a file, not by a run or a checkpoint.
bool is_weights_file(const std::string& named) {
  return named.ends_with(".safetensors") || std::filesystem::is_regular_file(named);
}

// What the weights of a job come from: at most one of the three.
struct Origin {
  std::optional<CheckpointInfo> resumed, start;
  std::string weights = {};  ///< a file
};

// Takes what the job goes on from into the run.
void take_in(Run& run, const Origin& origin) {
  if (const auto& start = origin.start) {
    // Another task has other ends: its head keeps its random weights.
    const bool other_task = start->options.task.kind != run.options.task.kind;
    load_checkpoint(*start, run.chain, other_task ? Taken::encoder : Taken::weights);
    run.started_from = std::filesystem::absolute(start->path).string();
  }
  if (!origin.weights.empty()) {
    read_weights_file(origin.weights, run.options.task.kind, run.shape, run.chain);
    run.started_from = std::filesystem::absolute(origin.weights).string();
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
                 const Ledger& ledger, std::optional<int64_t> limit) {
  const auto& resumed = origin.resumed;
  Run run = assemble(problem, world, true, resumed ? std::optional(resumed->statistics) : std::nullopt);
  agree(world, run.mesh.world, [&] { take_in(run, origin); });
  agree(world, run.mesh.world, [&] {
    if (world.rank != 0) return;
    start_record(run.options.run.out, run.parent, run.step);
    write_whole(run.options.run.out + "/recipe.toml", to_toml(run.options), "run");
    write_machine(run, world);
  });
  if (world.rank == 0 && !arguments.json) say_what_runs(run);
  if (world.rank == 0) tell(told, run.options.run.out, arguments.json);
  // The checkpoint of step 0 records the start: a resumed run finds it and does not start again.
  if (origin.start || !origin.weights.empty()) save_checkpoint(run, world);
  Trace trace;
  const int64_t first = run.step;
  {
    const TraceSession session(trace);
    train(run, world, arguments.json, ledger, limit);
  }
  const RankMemory largest = largest_memory(ledger, run.mesh.world);
  if (world.rank != 0) return;
  if (run.step > first) write_cost(run, trace, run.step - first, largest);
  if (arguments.memory) print_memory(largest, arguments.json);
}

// The recipe with --set. A run folder stands for its own recipe, wherever it lies now.
Options recipe_in(const TrainArguments& arguments) {
  namespace fs = std::filesystem;
  std::error_code none;
  std::vector<std::string> set = arguments.set;
  if (fs::is_directory(arguments.recipe, none)) {
    if (!fs::exists(arguments.recipe + "/recipe.toml", none))
      refuse("run", "'", arguments.recipe,
             "' is no run folder: it has no recipe.toml; name a recipe or a run");
    set.insert(set.begin(), "run.out=" + arguments.recipe);
    return read_recipe(arguments.recipe + "/recipe.toml", set);
  }
  Options options = read_recipe(arguments.recipe, set);
  const fs::path around = fs::absolute(arguments.recipe).parent_path();
  const bool named =
      std::any_of(set.begin(), set.end(), [](const auto& change) { return change.starts_with("run.out="); });
  if (!named && newest_checkpoint(around.string()) && !fs::equivalent(around, options.run.out, none))
    refuse("run", "'", arguments.recipe, "' lies in a run folder that was moved or copied: its run.out is '",
           options.run.out, "'; go on in this folder with `graticule train ", around.string(),
           "`, or choose another run with --set run.out=FOLDER");
  return options;
}

Options recipe_of(const TrainArguments& arguments) {
  Options options = recipe_in(arguments);
  if (arguments.replan) {
    options.parallel = {};
    std::erase_if(options.named,
                  [](const std::string& key) { return key == "parallel" || key.starts_with("parallel."); });
  }
  std::string from = arguments.resume.empty() ? "" : checkpoint_to_resume(options.run.out, arguments.resume);
  if (from.empty() && !arguments.start_from.empty() && !is_weights_file(arguments.start_from))
    from = find_checkpoint(arguments.start_from);
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
    if (resumed.empty() && !arguments.start_from.empty())
      start = is_weights_file(arguments.start_from) ? arguments.start_from
                                                    : find_checkpoint(arguments.start_from);
    if (!lock->held())
      told.emplace_back(
          "the run folder's disk has no file locks: this job touches RUN/lock every 10 s instead, which keeps others out");
  });
  resumed = broadcast_text(everyone, resumed, 0), start = broadcast_text(everyone, start, 0);
  if (arguments.resume == "auto" && resumed.empty() && start.empty())
    told.push_back("no checkpoint in " + problem->options.run.out + ": training starts anew");
  if (!resumed.empty() && !arguments.start_from.empty())
    told.emplace_back("this run has a checkpoint to go on from: --start-from is not used");
  agree(world, everyone, [&] {
    if (!resumed.empty()) origin.resumed = take_up(resumed, *problem, told);
    if (is_weights_file(start)) {
      origin.weights = start;
      told.push_back(text("starts with the weights of ", start, ", ",
                          contents_of_weights_file(start, problem->options.task.kind),
                          "; weights that it lacks are random"));
    } else if (!start.empty()) {
      origin.start = start_with(start, *problem, told);
    }
  });
  Ledger ledger(settled.limit, leaner_than);
  const MemoryWatch watch(ledger, device_type(problem->options.train.device));
  explain_out_of_memory(
      ledger, [&] { run_problem(arguments, *problem, told, world, origin, ledger, settled.limit); });
  return 0;
}

void add_restarts(CLI::App& command, TrainArguments& arguments) {
  Supervised& supervised = arguments.supervised;
  command
      .add_option("--restarts", supervised.restarts,
                  "Start the ranks from here, and start them again after a lost rank, N times at most")
      ->check(CLI::NonNegativeNumber);
  command.add_option("--ranks", supervised.ranks, "Ranks of the first job, with --restarts")
      ->check(CLI::PositiveNumber);
  command.add_option("--launch", supervised.launch,
                     "How to start {ranks} ranks, with --restarts: mpiexec -n {ranks}, srun -n {ranks}, ...");
  command.add_flag("--keep-ranks", supervised.keeps_ranks,
                   "With --restarts: start as many ranks again, also after a lost one");
}

// The jobs of --restarts: this command without those options.
Supervised supervised_by(const TrainArguments& arguments) {
  Supervised training = arguments.supervised;
  training.run_folder = recipe_in(arguments).run.out;
  training.resume = arguments.resume;
  training.arguments = {arguments.recipe};
  for (const std::string& change : arguments.set)
    training.arguments.insert(training.arguments.end(), {"--set", change});
  if (!arguments.start_from.empty())
    training.arguments.insert(training.arguments.end(), {"--start-from", arguments.start_from});
  for (const auto& [given, flag] : {std::pair{arguments.json, "--json"},
                                    {arguments.memory, "--memory"},
                                    {arguments.replan, "--replan"}}) {
    if (given) training.arguments.emplace_back(flag);
  }
  return training;
}

}  // namespace

void add_train(CLI::App& app, Action& action) {
  auto* command =
      app.add_subcommand("train", "Train a model by a recipe, alone or over ranks (mpiexec -n P, srun)");
  const auto arguments = std::make_shared<TrainArguments>();
  command
      ->add_option("recipe", arguments->recipe, "The recipe, a TOML file; or a run folder, to go on with it")
      ->required();
  command
      ->add_option("--set", arguments->set,
                   "section.key=value, wins over the recipe; may be given several times")
      ->allow_extra_args(false);
  command->add_option("--resume", arguments->resume,
                      "auto (the run's newest checkpoint, if any) or a checkpoint folder");
  command->add_option(
      "--start-from", arguments->start_from,
      "Begin with the weights of another run, of a checkpoint, or of a safetensors file (graticule export, or "
      "graticule.save_trunk in Python); ignored when --resume finds a checkpoint");
  command->add_flag("--json", arguments->json, "Print one JSON object a line instead of progress");
  command->add_flag("--memory", arguments->memory,
                    "At the end, print the peak memory of the fullest rank's tensors, by purpose");
  command->add_flag("--replan", arguments->replan,
                    "Let the planner choose the layout, whatever the recipe's [parallel] says");
  add_restarts(*command, *arguments);
  command->callback([&action, arguments, command] {
    // A run folder is named to go on with it.
    std::error_code none;
    if (arguments->resume.empty() && std::filesystem::is_directory(arguments->recipe, none))
      arguments->resume = "auto";
    action = [arguments, command]() -> int {
      if (arguments->supervised.restarts > 0)
        return run_alone([&] { return supervise(supervised_by(*arguments)); });
      if (command->count("--ranks") + command->count("--launch") + command->count("--keep-ranks") > 0)
        return run_alone([]() -> int {
          refuse(
              "train",
              "--ranks, --launch and --keep-ranks belong to --restarts N: add it, or start the ranks by a launcher (mpiexec -n P, srun)");
        });
      return run_job([&](const World& world) { return run_train(*arguments, world); });
    };
  });
}

}  // namespace graticule

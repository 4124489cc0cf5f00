#include "cli/trained_run.h"

#include <filesystem>
#include <iostream>

#include "graticule/core/error.h"
#include "graticule/data/info.h"
#include "graticule/recipe/layout.h"
#include "graticule/recipe/same_meaning.h"
#include "graticule/train/history.h"
#include "graticule/train/other_grid.h"
#include "graticule/train/same_data.h"
#include "graticule/train/task.h"

namespace graticule {

std::string find_checkpoint(const std::string& named) {
  std::error_code error;
  if (!std::filesystem::is_directory(named, error))
    refuse("checkpoint", "'", named, "' is no folder",
           error && error != std::errc::no_such_file_or_directory ? text(" (", error.message(), ")") : "",
           ": name a run or RUN/checkpoints/step-N");
  if (std::filesystem::exists(named + "/manifest.json", error)) return named;
  const auto newest = newest_checkpoint(named);
  if (!newest)
    refuse("checkpoint", "'", named,
           "' holds no checkpoint: name a run that was trained, or RUN/checkpoints/step-N");
  return *newest;
}

void add_trained_run(CLI::App& command, TrainedRunChoice& choice) {
  add_checkpoint(command, choice.checkpoint);
  command.add_option("--set", choice.set, "section.key=value, wins over the recipe (data.path: other data)")
      ->allow_extra_args(false);
  add_raw_weights(command, choice.raw_weights);
}

void add_checkpoint(CLI::App& command, std::string& checkpoint) {
  command
      .add_option("checkpoint", checkpoint, "A run folder (its newest checkpoint) or RUN/checkpoints/step-N")
      ->required();
}

void add_raw_weights(CLI::App& command, bool& raw) {
  command.add_flag("--raw-weights", raw, "Take the weights themselves, not their average (train.ema)");
}

void add_tiles(CLI::App& command, bool& tiles) {
  command.add_flag("--tiles", tiles,
                   "Cover whole images with overlapping tiles of the size that the run was trained on");
}

Taken taken_weights(bool raw) { return raw ? Taken::raw_weights : Taken::weights; }

namespace {

// Makes tiles of the size that the run was trained on: its crops, or whole images.
void choose_tiles(const CheckpointInfo& info, DataOptions& data) {
  if (!data.crop.empty()) return;
  if (!data.images.periodic.empty())
    refuse(
        "checkpoint", info.path,
        " was trained on whole images with data.periodic, so a tile has edges that it does not know: leave ",
        "out --tiles, or train on crops (data.crop)");
  if (info.data) data.crop = info.data->sizes;
  if (data.crop.empty())
    refuse("checkpoint", info.path, " was not trained on images of a known size: leave out --tiles");
}

void refuse_tiles(const CheckpointInfo& info, const Options& options) {
  const Task& task = task_of(options);
  if (!task.looks_ahead() && task.tells_places()) return;
  refuse("checkpoint", info.path, " is a run of task.kind = \"", name_of(options.task.kind),
         "\": --tiles is for tasks that say something about each place of one image, such as \"segment\"");
}

}  // namespace

Problem trained_problem(const CheckpointInfo& info, const TrainedRunChoice& choice, int ranks,
                        std::vector<std::string>& notes) {
  Options recipe = info.options;
  if (choice.tiles) refuse_tiles(info, recipe), choose_tiles(info, recipe.data);
  const Options trained = recipe;
  ParallelOptions anew;
  anew.shard = recipe.parallel.shard;
  recipe.parallel = anew;
  recipe.data.batch = std::max<int64_t>(recipe.data.batch, ranks);
  Problem problem = define_problem(parse_recipe(to_toml(recipe), info.path, choice.set));
  refuse_another_meaning(info.path, trained, problem.options, TakenUp::to_use);
  const Catalog& catalog = problem.source->catalog();
  if (!choice.tiles) notes.push_back(place_in_trained_grid(info.path, info.data, problem));
  if (info.data) {
    for (const auto& note : refuse_other_units(info.path, *info.data, catalog)) notes.push_back(note);
  }
  for (const auto& note : notes_to_tell(catalog)) notes.push_back(note);
  std::erase(notes, "");
  return problem;
}

TrainedRun load_trained_run(const TrainedRunChoice& choice, const World& world, const Group& everyone) {
  // Rank 0 chooses, because a run that is still training may have a newer checkpoint a moment later.
  std::string folder;
  agree(world, everyone, [&] {
    if (world.rank == 0) folder = find_checkpoint(choice.checkpoint);
  });
  folder = broadcast_text(everyone, folder, 0);
  std::optional<CheckpointInfo> info;
  std::optional<Problem> problem;
  agree(world, everyone, [&] {
    info = read_checkpoint_info(folder);
    std::vector<std::string> notes;
    problem.emplace(trained_problem(*info, choice, world.size, notes));
    for (const auto& note : notes) {
      if (world.rank == 0) std::cerr << "note: " << note << std::endl;
    }
    problem->options.train.activations = Activations::keep;  // without a backward nothing is kept
    problem->options.train.ema = 0;                          // and nothing is averaged
    resolve_axes(problem->options, world.size, problem->shape);
  });
  Run run = assemble(*problem, world, false, info->statistics);
  agree(world, everyone, [&] {
    load_checkpoint(*info, run.chain, taken_weights(choice.raw_weights));
    run.step = info->step;
  });
  return {std::move(*info), std::move(run)};
}

}  // namespace graticule

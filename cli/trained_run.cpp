#include "cli/trained_run.h"

#include <filesystem>
#include <iostream>

#include "graticule/core/error.h"
#include "graticule/data/info.h"
#include "graticule/recipe/layout.h"
#include "graticule/recipe/same_meaning.h"
#include "graticule/train/build.h"
#include "graticule/train/history.h"
#include "graticule/train/same_data.h"

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

Taken taken_weights(bool raw) { return raw ? Taken::raw_weights : Taken::weights; }

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
    Options recipe = info->options;
    ParallelOptions anew;
    anew.shard = recipe.parallel.shard;
    recipe.parallel = anew;
    recipe.data.batch = std::max<int64_t>(recipe.data.batch, world.size);
    problem.emplace(define_problem(parse_recipe(to_toml(recipe), info->path, choice.set)));
    refuse_another_meaning(info->path, info->options, problem->options, TakenUp::to_use);
    const Catalog& catalog = problem->source->catalog();
    std::vector<std::string> notes = refuse_other_data(info->path, info->data, catalog);
    for (const auto& note : notes_to_tell(catalog)) notes.push_back(note);
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

#include "cli/trained_run.h"

#include <filesystem>

#include "graticule/core/error.h"
#include "graticule/train/build.h"
#include "graticule/train/layout.h"

namespace graticule {

std::string find_checkpoint(const std::string& named) {
  if (!std::filesystem::is_directory(named))
    refuse("checkpoint", "'", named, "' is no folder: name a run or RUN/checkpoints/step-N");
  if (std::filesystem::exists(named + "/manifest.json")) return named;
  const auto newest = newest_checkpoint(named);
  if (!newest)
    refuse("checkpoint", "'", named,
           "' holds no checkpoint: name a run that was trained, or RUN/checkpoints/step-N");
  return *newest;
}

std::string run_folder_of(const CheckpointInfo& info) {
  return std::filesystem::absolute(info.path + "/")
      .parent_path()
      .parent_path()
      .parent_path()
      .lexically_normal()
      .string();
}

TrainedRun load_trained_run(const std::string& checkpoint, const std::vector<std::string>& overrides,
                            const World& world, const Group& everyone) {
  std::optional<CheckpointInfo> info;
  std::optional<Problem> problem;
  agree(world, everyone, [&] {
    info = read_checkpoint_info(find_checkpoint(checkpoint));
    verify_checkpoint(*info);
    Options recipe = info->options;
    recipe.parallel = ParallelOptions{.shard = recipe.parallel.shard};
    recipe.data.batch = std::max<int64_t>(recipe.data.batch, world.size);
    problem.emplace(define_problem(parse_recipe(to_toml(recipe), info->path, overrides)));
    resolve_axes(problem->options, world.size, problem->shape);
  });
  Run run = build(*problem, world, false, info->statistics);
  agree(world, everyone, [&] {
    load_checkpoint(*info, run.chain, false);
    run.step = info->step;
  });
  return {std::move(*info), std::move(run)};
}

}  // namespace graticule

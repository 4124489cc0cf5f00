#include "graticule/dry/settle.h"

#include "graticule/dry/choose_layout.h"
#include "graticule/dry/fit.h"
#include "graticule/recipe/layout.h"
#include "graticule/train/memory.h"
#include "graticule/train/torch_types.h"

namespace graticule {

std::optional<int64_t> memory_limit_of(const Options& options, int local_size) {
  return memory_limit(options.train.memory_gib, device_type(options.train.device), local_size);
}

std::optional<std::string> settle(Problem& problem, const World& world, const Group& everyone) {
  Options& options = problem.options;
  agree(world, everyone, [&] { set_threads(options.train.threads, world); });
  const auto limit = memory_limit_of(options, world.local_size);
  auto planned = choose_layout(options, problem.shape, world, everyone, limit);
  agree(world, everyone, [&] { resolve_axes(options, world.size, problem.shape); });
  fit_in_memory(options, problem.shape, world, everyone, limit);
  return planned;
}

Run build(Problem problem, const World& world, bool for_training,
          const std::optional<Statistics>& statistics) {
  settle(problem, world, group_of_all(world));
  return assemble(problem, world, for_training, statistics);
}

}  // namespace graticule

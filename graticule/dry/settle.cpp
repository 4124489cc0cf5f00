#include "graticule/dry/settle.h"

#include "graticule/dry/choose_layout.h"
#include "graticule/dry/fit.h"
#include "graticule/kernel/torch_types.h"
#include "graticule/recipe/layout.h"
#include "graticule/train/memory.h"

namespace graticule {

std::optional<int64_t> memory_limit_of(const Options& options, int local_size) {
  return memory_limit(options.train.memory_gib, device_type(options.train.device), local_size);
}

Settled settle(Problem& problem, const World& world, const Group& everyone) {
  Options& options = problem.options;
  agree(world, everyone, [&] { set_threads(options.train.threads, world); });
  Settled settled{memory_limit_of(options, world.local_size), std::nullopt};
  settled.planned = choose_layout(options, problem.shape, world, everyone, settled.limit);
  agree(world, everyone, [&] { resolve_axes(options, world.size, problem.shape); });
  fit_in_memory(options, problem.shape, world, everyone, settled.limit);
  return settled;
}

Run build(Problem problem, const World& world, bool for_training,
          const std::optional<Statistics>& statistics) {
  settle(problem, world, group_of_all(world));
  return assemble(problem, world, for_training, statistics);
}

}  // namespace graticule

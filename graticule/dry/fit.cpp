#include "graticule/dry/fit.h"

#include <ATen/ops/full.h>

#include <array>
#include <vector>

#include "graticule/core/error.h"
#include "graticule/dry/dry_run.h"
#include "graticule/plan/layouts.h"
#include "graticule/recipe/remedies.h"

namespace graticule {

namespace {

// In order of speed, the fastest first.
constexpr std::array policies = {Activations::keep, Activations::recompute_but_attention,
                                 Activations::recompute, Activations::offload};

// On a CPU offloading to host memory saves nothing.
bool saves_memory(Activations policy, const TrainOptions& train) {
  return policy != Activations::offload || train.device != DeviceKind::cpu || !train.offload_to.empty();
}

Booked peak_with(Activations policy, Options options, const ModelShape& shape, const World& world) {
  options.train.activations = policy;
  return dry_run(options, shape, {world.size, world.rank, world.local_size}).peak;
}

// A line with the policies leaner than `chosen` that would fit on this rank; empty if there are none.
std::string leaner_policies(Activations chosen, const Options& options, const ModelShape& shape,
                            const World& world, int64_t limit) {
  std::string list;
  for (const Activations policy : policies) {
    if (policy <= chosen || !saves_memory(policy, options.train)) continue;
    const int64_t bytes = peak_with(policy, options, shape, world).total();
    if (bytes <= limit) list += text(list.empty() ? "" : ", ", "\"", name_of(policy), "\" with ", gib(bytes));
  }
  return list.empty() ? "" : text("\nThese values of train.activations would fit: ", list);
}

}  // namespace

void fit_in_memory(Options& options, const ModelShape& shape, const World& world, const Group& everyone,
                   std::optional<int64_t> limit) {
  const std::optional<Activations> wanted = options.train.activations;
  if (!limit) {
    options.train.activations = wanted.value_or(Activations::keep);
    return;
  }
  Booked peak;
  for (const Activations policy : policies) {
    if (policy != wanted.value_or(policy)) continue;
    if (!wanted && !saves_memory(policy, options.train)) continue;
    agree(world, everyone, [&] { peak = peak_with(policy, options, shape, world); });
    const at::Tensor fits = at::full({1}, peak.total() <= *limit ? 1 : 0, at::kLong);
    if (everyone.all_reduce(fits, Reduction::min).wait().item<int64_t>() == 0) continue;
    options.train.activations = policy;
    return;
  }
  agree(world, everyone, [&] {
    if (peak.total() <= *limit) return;
    refuse("memory", "rank ", world.rank, " would hold ", gib(peak.total()),
           " of tensors at the peak of a step, but may use ", gib(*limit),
           options.train.memory_gib > 0 ? " (train.memory_gib)"
                                        : text(" (the node's free memory / ", world.local_size,
                                               " ranks; train.memory_gib sets another limit)"),
           ": choose ", leaner_than(peak), "\n", table_of(peak),
           leaner_policies(wanted.value_or(Activations::offload), options, shape, world, *limit));
  });
}

}  // namespace graticule

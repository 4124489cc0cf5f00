#include "graticule/dry/choose_layout.h"

#include <ATen/Parallel.h>
#include <ATen/ops/full.h>

#include <filesystem>
#include <limits>

#include "graticule/core/error.h"
#include "graticule/plan/planner.h"
#include "graticule/plan/reasons.h"

namespace graticule {

namespace {

constexpr const char* described_here = "clusters/here.toml";

// A device of the guess cpu.toml is one core; a rank has one core for each of its threads.
Cluster guessed(bool cpu) {
  Cluster cluster = cluster_named(cpu ? "cpu" : "hgx_h200");
  if (!cpu) return cluster;
  const auto cores = static_cast<double>(at::get_num_threads());
  for (Rates* rates : {&cluster.bf16, &cluster.fp32}) rates->linear *= cores, rates->attention *= cores;
  cluster.memory_bandwidth *= cores, cluster.pointwise *= cores;
  return cluster;
}

// The cluster with the nodes and devices of this job. A file that was measured with another number of ranks
// on a node does not describe this job.
Cluster cluster_of_job(const Options& options, int ranks, int local_size) {
  const int nodes = (ranks + local_size - 1) / local_size;
  std::optional<Cluster> here;
  std::error_code none;
  if (std::filesystem::exists(described_here, none)) here = cluster_named(described_here);
  const bool fits = here && here->devices_per_node == local_size && (nodes == 1 || here->nodes > 1);
  Cluster cluster = fits ? *here : guessed(options.train.device == DeviceKind::cpu);
  cluster.devices_per_node = local_size, cluster.nodes = nodes;
  return cluster;
}

// The smallest limit of all ranks.
std::optional<int64_t> least_of(std::optional<int64_t> limit, const Group& everyone) {
  constexpr int64_t none = std::numeric_limits<int64_t>::max();
  const at::Tensor mine = at::full({1}, limit.value_or(none), at::kLong);
  const auto least = everyone.all_reduce(mine, Reduction::min).wait().item<int64_t>();
  return least == none ? std::nullopt : std::optional(least);
}

}  // namespace

std::optional<ChosenLayout> chosen_layout(const Options& options, const ModelShape& shape, int ranks,
                                          int local_size, std::optional<int64_t> limit) {
  const Cluster cluster = cluster_of_job(options, ranks, local_size);
  return chosen_layout(options, shape, ranks, cluster,
                       limit ? static_cast<int64_t>(static_cast<double>(*limit) * (1 - runtime_reserve))
                             : usable_memory(cluster, options));
}

std::optional<ChosenLayout> chosen_layout(const Options& options, const ModelShape& shape, int ranks,
                                          const Cluster& cluster, int64_t memory) {
  if (ranks == 1 || options.named.contains("parallel")) return std::nullopt;
  const Plan plan = plan_layouts({cluster, options, shape, ranks, memory}, 1);
  if (plan.best.empty()) return std::nullopt;
  const Candidate& best = plan.best.front();
  return ChosenLayout{best.layout,
                      text("planned for ", ranks, " ranks of ", cluster.name, ", since the recipe has no ",
                           "[parallel]: ", described(best.layout), ". ", what_limits(best))};
}

std::optional<std::string> choose_layout(Options& options, const ModelShape& shape, const World& world,
                                         const Group& everyone, std::optional<int64_t> limit) {
  if (world.size == 1 || options.named.contains("parallel")) return std::nullopt;
  limit = least_of(limit, everyone);
  // Only rank 0 chooses, because the ranks may see different cluster files.
  std::string why, recipe;
  agree(world, everyone, [&] {
    if (world.rank != 0) return;
    const auto chosen = chosen_layout(options, shape, world.size, world.local_size, limit);
    if (chosen) why = chosen->why, recipe = to_toml(with_layout(options, chosen->layout));
  });
  recipe = broadcast_text(everyone, recipe, 0);
  if (recipe.empty()) return std::nullopt;
  const Options resolved = parse_recipe(recipe, "planner");
  options.parallel = resolved.parallel, options.train.activations = resolved.train.activations;
  return broadcast_text(everyone, why, 0);
}

}  // namespace graticule

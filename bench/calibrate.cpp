#include "bench/calibrate.h"

#include <ATen/Parallel.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/ones.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <thread>

#include "bench/random_tokens.h"
#include "bench/timing.h"
#include "graticule/core/error.h"
#include "graticule/core/trace.h"
#include "graticule/plan/calibration.h"
#include "graticule/train/aside_file.h"
#include "graticule/train/build.h"
#include "graticule/train/memory.h"

namespace graticule {

namespace {

/// The median of `calls` calls, each by its slowest rank.
double seconds_of_round(const Group& everyone, size_t calls, const std::function<void()>& call) {
  std::vector<double> seconds(calls);
  for (double& one : seconds) one = seconds_of_slowest(call, everyone);
  return median(seconds);
}

struct Model {
  int64_t tokens, dim, heads;
};

// Common widths and head widths. The models with few tokens show the fixed cost of a block.
constexpr Model models[] = {{128, 64, 4},   {2048, 64, 4}, {1024, 128, 4},
                            {2048, 256, 4}, {512, 512, 8}, {256, 1024, 8}};

Options options_of(const Model& model, Precision precision) {
  Options options;
  options.model.patch = 1, options.model.depth = 2, options.model.dim = model.dim;
  options.model.heads = model.heads, options.train.precision = precision;
  options.train.threads = at::get_num_threads();
  return options;
}

// Every rank runs the model alone, all at the same time, so they share the node's memory as in a run. The
// median step counts: other work of the machine will disturb a run too.
MeasuredStep measured_step(const Model& model, Precision precision, const Group& everyone) {
  constexpr size_t fewest = 3, most = 25;
  constexpr double enough_s = 0.6;
  MeasuredStep step{options_of(model, precision), {}};
  step.shape = shape_of(step.options.model, {.columns = model.tokens});
  RandomTokens tokens = random_tokens(step.options, step.shape, lone_world());
  tokens.run();
  std::vector<std::pair<double, Trace>> runs;
  for (double all = 0; runs.size() < fewest || (all < enough_s && runs.size() < most);) {
    auto& [seconds, trace] = runs.emplace_back();
    const TraceSession session(trace);
    seconds = seconds_of_slowest([&] { tokens.run(); }, everyone);
    all += seconds;
  }
  std::sort(runs.begin(), runs.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  auto& [seconds, trace] = runs[runs.size() / 2];
  const auto part = [&trace = trace, &everyone](const char* name) {
    return largest(trace.seconds[name], everyone);
  };
  step.linear = part("linear"), step.attention = part("attention"), step.optimizer = part("optimizer");
  step.rest = std::max(seconds - step.linear - step.attention - step.optimizer, 0.01 * seconds);
  return step;
}

// The mean time of all-to-all, all-gather and reduce-scatter. Each rank sends about `bytes` to each other
// rank.
MeasuredMessage measured_message(const Group& group, const Group& everyone, int64_t bytes) {
  const int64_t p = group.size(), rows = std::max<int64_t>(bytes / 4, 1);
  const std::vector<int64_t> shares(static_cast<size_t>(p), rows);
  const at::Tensor all = at::ones({rows * p}), mine = at::ones({rows});
  const size_t calls = bytes < (1 << 20) ? 50 : 8;
  const double seconds =
      seconds_of_round(everyone, calls, [&] { group.all_to_all(all, shares, shares).wait(); }) +
      seconds_of_round(everyone, calls, [&] { group.all_gather(mine, shares).wait(); }) +
      seconds_of_round(everyone, calls, [&] { group.reduce_scatter(all, shares).wait(); });
  return {static_cast<double>(rows * 4 * (p - 1)), seconds / 3};
}

Link measured_link(const Group& group, const Group& everyone) {
  std::vector<MeasuredMessage> messages;
  for (const int64_t bytes :
       {int64_t{4}, int64_t{16} << 10, int64_t{256} << 10, int64_t{2} << 20, int64_t{32} << 20})
    messages.push_back(measured_message(group, everyone, bytes));
  return fit_link(messages);
}

// The share of an exchange that runs during matrix products. Between the products the rank polls the
// exchange, as attention does.
double measured_overlap(const Group& group, const Group& everyone) {
  const int64_t p = group.size(), rows = 4 << 20;
  const std::vector<int64_t> shares(static_cast<size_t>(p), rows / p);
  const at::Tensor all = at::ones({rows / p * p}), a = at::ones({256, 256});
  const auto exchange = [&] { return group.all_to_all(all, shares, shares); };
  const double alone = seconds_of_round(everyone, 9, [&] { exchange().wait(); });
  const double one = seconds_of_round(everyone, 25, [&] { at::mm(a, a); });
  const int products = static_cast<int>(std::clamp(2 * alone / one, 8.0, 1e5));
  const auto compute = [&](Pending* pending) {
    for (int i = 0; i < products; ++i) {
      at::mm(a, a);
      if (pending) pending->poll();
    }
  };
  // In turns, because the machine's other load changes with time.
  std::vector<double> hidden;
  for (int turn = 0; turn < 15; ++turn) {
    const double exchanging = seconds_of_slowest([&] { exchange().wait(); }, everyone);
    const double computing = seconds_of_slowest([&] { compute(nullptr); }, everyone);
    const auto together = [&] {
      Pending pending = exchange();
      compute(&pending);
      pending.wait();
    };
    const double both = seconds_of_slowest(together, everyone);
    hidden.push_back((exchanging + computing - both) / std::min(exchanging, computing));
  }
  return std::clamp(median(hidden), 0.0, 1.0);
}

// The ranks of this node; and one rank of each node, at the same place as this one. Ranks fill nodes in
// order.
std::vector<int> node_of(const World& world) {
  std::vector<int> members;
  for (int rank = world.rank - world.local_rank, i = 0; i < world.local_size; ++i)
    members.push_back(rank + i);
  return members;
}
std::vector<int> across_nodes(const World& world) {
  std::vector<int> members;
  for (int rank = world.local_rank; rank < world.size; rank += world.local_size) members.push_back(rank);
  return members;
}

Cluster measured_cluster(const World& world, const Group& everyone) {
  Cluster cluster;
  cluster.name = "here";
  cluster.devices_per_node = world.local_size, cluster.nodes = world.size / world.local_size;
  cluster.memory = static_cast<double>(memory_limit(0, at::kCPU, world.local_size).value_or(1LL << 30));
  const auto threads = static_cast<double>(world.local_size * at::get_num_threads());
  cluster.sharing = std::max(1.0, threads / std::max(1U, std::thread::hardware_concurrency()));
  std::vector<MeasuredStep> steps;
  for (const Precision precision : {Precision::fp32, Precision::bf16}) {
    for (const Model& model : models) steps.push_back(measured_step(model, precision, everyone));
  }
  fit_device(cluster, steps);
  if (world.size > 1) {
    const Group node = world.split(node_of(world), "node"), nodes = world.split(across_nodes(world), "nodes");
    if (node.size() > 1) cluster.within_node = measured_link(node, everyone);
    if (nodes.size() > 1) cluster.interface = measured_link(nodes, everyone);
    cluster.overlap = measured_overlap(nodes.size() > 1 ? nodes : node, everyone);
  }
  // All ranks of a node sent at the same time, so each measured its own share: one interface for each rank.
  cluster.interfaces_per_node = world.local_size;
  return cluster;
}

// Checks that the file can be written, before anything is measured. It creates PATH.part: an existing file
// stays as it is if the run is interrupted.
void probe(const std::string& path) {
  const auto folder = std::filesystem::path(path).parent_path();
  std::error_code error;
  if (!folder.empty()) std::filesystem::create_directories(folder, error);
  if (!std::ofstream(path + ".part")) {
    fail("plan", "'", path, "' cannot be written: choose another file with --write");
  }
}

}  // namespace

int run_calibrate(const std::string& wanted, const World& world) {
  const std::string path = wanted.empty() ? "clusters/here.toml" : wanted;
  const Group everyone = group_of_all(world);
  agree(world, everyone, [&] {
    if (world.size % world.local_size != 0) {
      refuse("plan", world.size, " ranks, ", world.local_size,
             " on this node: start the same number on every node");
    }
    if (world.rank == 0) probe(path);
  });
  set_threads(0, world);
  const Cluster cluster = measured_cluster(world, everyone);
  agree(world, everyone, [&] {
    if (world.rank != 0) return;
    write_whole(path,
                to_toml(cluster, fmt::format("Measured by `graticule plan --calibrate` with {} ranks a "
                                             "node of {} threads on {} nodes.",
                                             world.local_size, at::get_num_threads(), cluster.nodes)),
                "calibrate");
    fmt::print("{}: {} ranks a node; linear layers {:.0f}, attention {:.0f} GFLOP/s in fp32\n", path,
               world.local_size, cluster.fp32.linear / 1e9, cluster.fp32.attention / 1e9);
  });
  return 0;
}

}  // namespace graticule

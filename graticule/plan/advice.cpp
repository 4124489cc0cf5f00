#include "graticule/plan/advice.h"

#include <algorithm>

#include "graticule/core/error.h"

namespace graticule {

namespace {

int64_t devices_of(const Cluster& cluster) { return cluster.nodes * cluster.devices_per_node; }

bool works(const Question& question) {
  return question.ranks >= 1 && question.ranks <= devices_of(question.cluster) &&
         !open_axes(question.options, question.shape, question.ranks).empty();
}

std::optional<Candidate> best_of(const Question& question) {
  if (!works(question)) return std::nullopt;
  const Plan plan = plan_layouts(question, 1);
  if (plan.best.empty()) return std::nullopt;
  return plan.best.front();
}

// Within a node: one rank more. Beyond a node: the next whole number of nodes.
int next_ranks(int ranks, int64_t devices) {
  const auto node = static_cast<int>(devices);
  return ranks < node ? ranks + 1 : (ranks / node + 1) * node;
}

int halfway(int low, int high, int64_t devices) {
  const int middle = (low + high) / 2;
  return middle > devices ? static_cast<int>(middle / devices * devices) : middle;
}

// Doubles the ranks until a layout fits, then bisects between that number and the largest that did not fit.
std::optional<Remedy> more_ranks(const Question& question) {
  const int64_t node = question.cluster.devices_per_node, most = devices_of(question.cluster);
  Question more = question;
  int too_few = question.ranks;
  std::optional<Candidate> best;
  for (int64_t ranks = next_ranks(too_few, node); !best; ranks = std::min(2 * ranks, most)) {
    if (ranks > most || (ranks == too_few)) return std::nullopt;
    more.ranks = static_cast<int>(ranks);
    best = best_of(more);
    if (!best) too_few = more.ranks;
  }
  int enough = more.ranks;
  for (int ranks = halfway(too_few, enough, node); ranks > too_few && ranks < enough;
       ranks = halfway(too_few, enough, node)) {
    more.ranks = ranks;
    const auto smaller = best_of(more);
    if (smaller) best = smaller;
    (smaller ? enough : too_few) = ranks;
  }
  return Remedy{text("start ", enough, " ranks"), *best};
}

template <class Change>
void try_change(std::vector<Remedy>& remedies, const Question& question, const std::string& words,
                const Change& change) {
  Options options = question.options;
  ModelShape shape = question.shape;
  change(options, shape);
  if (const auto best = best_of({question.cluster, options, shape, question.ranks, question.memory})) {
    remedies.push_back({words, *best});
  }
}

}  // namespace

std::vector<Remedy> remedies_for(const Question& question) {
  const Options& given = question.options;
  std::vector<Remedy> remedies;
  if (auto more = more_ranks(question)) remedies.push_back(std::move(*more));
  if (given.train.precision != Precision::bf16) {
    try_change(remedies, question, "set train.precision = \"bf16\"",
               [](Options& o, ModelShape&) { o.train.precision = Precision::bf16; });
  }
  if (given.train.moments != Precision::bf16) {
    try_change(remedies, question, "set train.moments = \"bf16\"",
               [](Options& o, ModelShape&) { o.train.moments = Precision::bf16; });
  }
  if (given.train.state_in.empty() && given.train.device == DeviceKind::cpu) {
    try_change(remedies, question, "name a folder on a real disk in train.state_in",
               [](Options& o, ModelShape&) { o.train.state_in = "/tmp"; });
  }
  const size_t before = remedies.size();
  for (int64_t batch = given.data.batch / 2; batch >= 1 && remedies.size() == before; batch /= 2) {
    try_change(remedies, question, text("set data.batch = ", batch),
               [&](Options& o, ModelShape&) { o.data.batch = batch; });
  }
  const size_t without_patch = remedies.size();
  const TokenGrid& grid = question.shape.grid;
  const auto twice = [](const Patch& patch) {
    return Patch(2 * patch.layers, 2 * patch.rows, 2 * patch.columns);
  };
  for (Patch patch = twice(grid.patch); fits(patch, grid) && remedies.size() == without_patch;
       patch = twice(patch)) {
    try_change(remedies, question, text("set model.patch = ", in_words(patch)),
               [&](Options& o, ModelShape& shape) { o.model.patch = shape.grid.patch = patch; });
  }
  return remedies;
}

NearestRanks nearest_ranks(const Question& question) {
  NearestRanks nearest;
  Question other = question;
  for (other.ranks = question.ranks - 1; other.ranks >= 1 && !nearest.below; --other.ranks) {
    if (works(other)) nearest.below = other.ranks;
  }
  const int64_t most = std::min<int64_t>(devices_of(question.cluster), 4 * int64_t{question.ranks} + 64);
  for (other.ranks = question.ranks + 1; other.ranks <= most && !nearest.above; ++other.ranks) {
    if (works(other)) nearest.above = other.ranks;
  }
  return nearest;
}

}  // namespace graticule

#include "graticule/dry/world_traces.h"

#include <algorithm>

#include "graticule/comm/dry/dry.h"
#include "graticule/dry/dry_run.h"
#include "graticule/recipe/layout.h"
#include "graticule/recipe/share.h"
#include "graticule/train/build.h"

namespace graticule {

namespace {

// The key of a class: ranks with the same key run the same step.
std::vector<int64_t> class_of(const RankShare& share) {
  std::vector<int64_t> key = share.micro_batches;
  for (const int64_t size :
       {share.place.pipeline, share.tokens.size(), share.layer_tokens, share.query_tokens,
        share.next_query_tokens, share.queries.size(), share.keys.size(), share.hidden.size(),
        share.own_queries.size(), share.own_keys.size()}) {
    key.push_back(size);
  }
  return key;
}

// The same of the whole model: a decoder has other tokens and heads.
std::vector<int64_t> class_of_rank(const Options& options, const ModelShape& shape, const Axes& axes,
                                   int rank) {
  std::vector<int64_t> key = class_of(rank_share(options, shape, axes, rank));
  if (!shape.has_decoder()) return key;
  const std::vector<int64_t> more = class_of(rank_share(options, shape.decoder_shape(), axes, rank));
  key.insert(key.end(), more.begin(), more.end());
  return key;
}

// A world whose split() makes no real group but passes the members to `note`.
World noting_world(int rank, int ranks, const std::function<void(const WorldGroup&)>& note) {
  World world{rank, ranks, 0, 1, nullptr, nullptr};
  world.split = [note](const std::vector<int>& members, const std::string& label) {
    if (members.size() > 1) note({label, members});
    return Group(label);
  };
  return world;
}

// Notes all groups. Groups of one label are disjoint and of equal size. So a rank with as many groups as rank
// 0 needs no mesh of its own: all its groups are known.
void note_groups(WorldTraces& traces, Options options, const ModelShape& shape) {
  const int ranks = static_cast<int>(traces.ranks.size());
  const auto note = [&](const WorldGroup& group) {
    if (traces.ranks[static_cast<size_t>(group.members.front())].groups.contains(group.label)) return;
    for (size_t place = 0; place < group.members.size(); ++place) {
      traces.ranks[static_cast<size_t>(group.members[place])].groups[group.label] = {traces.groups.size(),
                                                                                     static_cast<int>(place)};
    }
    traces.groups.push_back(group);
  };
  for (int rank = 0; rank < ranks; ++rank) {
    const bool has_all =
        traces.ranks[static_cast<size_t>(rank)].groups.size() == traces.ranks[0].groups.size();
    if (rank == 0 || !has_all) mesh_of(options, shape, noting_world(rank, ranks, note));
  }
}

}  // namespace

WorldTraces traces_of_world(const Options& recipe, const ModelShape& shape, int ranks, int local_size,
                            bool fold) {
  WorldTraces traces;
  Options options = recipe;
  traces.axes = resolve_axes(options, ranks, shape);
  fill_in(options.parallel, traces.axes);
  std::map<std::vector<int64_t>, size_t> classes;
  for (int rank = 0; rank < ranks; ++rank) {
    std::vector<int64_t> key = class_of_rank(options, shape, traces.axes, rank);
    if (!fold) key.push_back(rank);
    const auto [found, fresh] = classes.try_emplace(key, traces.traces.size());
    if (fresh) traces.traces.push_back(trace_of_step(options, shape, {ranks, rank, local_size}));
    traces.ranks.push_back({found->second, {}});
  }
  note_groups(traces, options, shape);
  return traces;
}

bool is_shift(const DryExchange& all_to_all, int traced_place) {
  const auto& bytes = all_to_all.bytes;
  const auto all = std::count_if(bytes.begin(), bytes.end(), [](int64_t count) { return count > 0; });
  return all - (bytes[static_cast<size_t>(traced_place)] > 0 ? 1 : 0) == 1;
}

std::vector<int64_t> bytes_to_each(const DryExchange& all_to_all, int traced_place, int place) {
  std::vector<int64_t> bytes = all_to_all.bytes;
  const auto ranks = std::ssize(bytes);
  if (place != traced_place && is_shift(all_to_all, traced_place)) {
    const int64_t by = ((place - traced_place) % ranks + ranks) % ranks;
    std::rotate(bytes.begin(), bytes.end() - by, bytes.end());
  }
  return bytes;
}

}  // namespace graticule

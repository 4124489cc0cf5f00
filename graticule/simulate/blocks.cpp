#include "graticule/simulate/blocks.h"

#include <algorithm>
#include <cstdlib>

#include "graticule/simulate/exchange_flows.h"

namespace graticule {

namespace {

int64_t moved(int64_t rank, const Blocks& blocks) {
  const int64_t first = rank - rank % blocks.stage;
  return first + (rank - first + blocks.block) % blocks.stage;
}

const RankRole& role(const WorldTraces& traces, int64_t rank) {
  return traces.ranks[static_cast<size_t>(rank)];
}

bool has_equal_traces(const WorldTraces& traces, const Blocks& blocks) {
  for (int64_t rank = 0; rank < std::ssize(traces.ranks); ++rank) {
    if (role(traces, rank).trace != role(traces, blocks.image(rank)).trace) return false;
  }
  return true;
}

/// The place of a rank in its group of this label; null if it has none.
const GroupPlace* place_of(const WorldTraces& traces, int64_t rank, const std::string& label) {
  const auto& groups = role(traces, rank).groups;
  const auto found = groups.find(label);
  return found == groups.end() ? nullptr : &found->second;
}

// Whether moving the members gives the members of a group. The images of a played group must be among its members:
// then no other group does the same with the same played ranks.
bool is_mapped(const WorldTraces& traces, const Blocks& blocks, size_t number) {
  const auto& [label, members] = traces.groups[number];
  const auto is_in = [&, &label = label](int64_t rank, size_t group) {
    const GroupPlace* place = place_of(traces, rank, label);
    return place && place->group == group;
  };
  const GroupPlace* next = place_of(traces, moved(members.front(), blocks), label);
  const bool played =
      std::any_of(members.begin(), members.end(), [&](int rank) { return blocks.plays(rank); });
  return next && std::all_of(members.begin(), members.end(), [&](int rank) {
           return is_in(moved(rank, blocks), next->group) && (!played || is_in(blocks.image(rank), number));
         });
}

// Whether ranks at equal places give the same, up to `most` bytes, to the exchange `start`, traced by `rank`.
bool gives_equal_bytes(const WorldTraces& traces, const Blocks& blocks, int64_t most, int64_t rank,
                       const TracedStart& start) {
  using Kind = DryExchange::Kind;
  const auto& [kind, bytes, peer, tag] = start.exchange;
  const TracedGroup& traced = traces.traces[role(traces, rank).trace].groups[start.group];
  // A message is the member's own. Of an all-reduce only the sum counts, which all members know.
  if (kind == Kind::send || kind == Kind::receive || kind == Kind::barrier || kind == Kind::all_reduce)
    return true;
  if (kind == Kind::broadcast) return false;  // its root differs from all others
  if (kind == Kind::all_to_all && is_shift(start.exchange, traced.rank)) return true;
  const auto& members = traces.groups[place_of(traces, rank, traced.label)->group].members;
  for (size_t place = 0; place < members.size(); ++place) {
    const GroupPlace* image = place_of(traces, blocks.image(members[place]), traced.label);
    if (std::abs(bytes[place] - bytes[static_cast<size_t>(image->place)]) > most) return false;
  }
  return true;
}

bool has_equal_exchanges(const WorldTraces& traces, const Blocks& blocks, int64_t most) {
  std::vector<bool> seen(traces.traces.size(), false);
  for (int64_t rank = 0; rank < std::ssize(traces.ranks); ++rank) {
    const size_t trace = role(traces, rank).trace;
    if (seen[trace]) continue;
    seen[trace] = true;
    for (const TraceEvent& event : traces.traces[trace].events) {
      const auto* start = std::get_if<TracedStart>(&event);
      if (start && !gives_equal_bytes(traces, blocks, most, rank, *start)) return false;
    }
  }
  return true;
}

bool repeats(const WorldTraces& traces, const Blocks& blocks, int64_t most) {
  if (!has_equal_traces(traces, blocks)) return false;
  for (size_t group = 0; group < traces.groups.size(); ++group) {
    if (!is_mapped(traces, blocks, group)) return false;
  }
  return has_equal_exchanges(traces, blocks, most);
}

}  // namespace

Blocks blocks_of(const WorldTraces& traces, const Cluster& cluster, int64_t bytes) {
  const auto ranks = std::ssize(traces.ranks);
  const int64_t stage = ranks / traces.axes.pipeline;
  const int64_t below_switch = cluster.devices_per_node * nodes_per_switch(cluster);
  const int64_t unit = ranks > below_switch ? below_switch : cluster.devices_per_node;
  for (int64_t block = unit; block < stage; block += unit) {
    const Blocks blocks{stage, block};
    if (stage % block == 0 && repeats(traces, blocks, bytes)) return blocks;
  }
  return {stage, stage};
}

}  // namespace graticule

// The traces of all ranks of a world, as the input of the simulator. Ranks with equal shares run the same
// step. They form a *class*, and one dry run gives the trace of the whole class.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "graticule/core/axes.h"
#include "graticule/dry/step_trace.h"
#include "graticule/recipe/options.h"

namespace graticule {

/// A group of the mesh. members[i] is the world rank at place i.
struct WorldGroup {
  std::string label;
  std::vector<int> members;
};

/// The place of a rank in a group.
struct GroupPlace {
  size_t group;  ///< index in WorldTraces::groups
  int place;
};

/// The trace of one rank, and its groups.
struct RankRole {
  size_t trace;                              ///< index in WorldTraces::traces: that of its class
  std::map<std::string, GroupPlace> groups;  ///< by label; only groups of two or more ranks
};

struct WorldTraces {
  Axes axes;
  std::vector<StepTrace> traces;   ///< one for each class
  std::vector<WorldGroup> groups;  ///< of two or more ranks
  std::vector<RankRole> ranks;     ///< by world rank
};

/// Makes one dry run for each class: the ranks of one pipeline stage with equal numbers of samples, tokens
/// and heads, of a decoder too. Their spans of flat weights may differ by one element, and of a masked sequence the
/// visible tokens among their own; these differences are neglected. fold =
/// false: one dry run for each rank. Refuses what dry_run refuses, and degrees that cannot work.
WorldTraces traces_of_world(const Options& options, const ModelShape& shape, int ranks, int local_size,
                            bool fold = true);

/// Whether an all-to-all, traced by the rank at `traced_place` of its group, is a *shift*: it sends to one other
/// rank only. From another place its target moves by the same distance, cyclically.
bool is_shift(const DryExchange& all_to_all, int traced_place);

/// The bytes that the rank at `place` sends to each place of its group in an all-to-all. The exchange was
/// traced by a rank of the same class at `traced_place`.
std::vector<int64_t> bytes_to_each(const DryExchange& all_to_all, int traced_place, int place);

}  // namespace graticule

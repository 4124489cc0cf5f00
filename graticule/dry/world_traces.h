// What every rank of a world does in a training step. Ranks that hold equal shares do the same, so one dry
// run stands for all of its class.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "graticule/core/axes.h"
#include "graticule/dry/step_trace.h"
#include "graticule/recipe/options.h"

namespace graticule {

/// A group of the mesh: world ranks, in the order of their places.
struct WorldGroup {
  std::string label;
  std::vector<int> members;
};

/// A rank's place in one of the groups.
struct GroupPlace {
  size_t group;
  int place;
};

/// What one rank does, and where it stands.
struct RankRole {
  size_t trace;                              ///< of its class
  std::map<std::string, GroupPlace> groups;  ///< by label, those of two ranks and more
};

struct WorldTraces {
  Axes axes;
  std::vector<StepTrace> traces;
  std::vector<WorldGroup> groups;
  std::vector<RankRole> ranks;
};

/// One dry run for each class of ranks: those of one stage with as many samples, tokens and heads. Within a
/// class the spans of flat weights may differ by one element, which is neglected. fold = false: one for each
/// rank. Refuses what dry_run refuses.
WorldTraces traces_of_world(const Options& options, const ModelShape& shape, int ranks, int local_size,
                            bool fold = true);

/// Bytes that a rank at `place` sends to each place of its group in an all-to-all, by the trace of a rank of
/// its class at `traced_place`. A shift goes as far from every place.
std::vector<int64_t> bytes_to_each(const DryExchange& all_to_all, int traced_place, int place);

}  // namespace graticule

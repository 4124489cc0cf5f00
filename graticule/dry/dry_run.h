// A *dry run* executes the real training program as one rank of any world, without data and without the other
// ranks. Its tensors are meta tensors: they have sizes but no memory. Its groups are those of comm/dry: they
// count bytes and send nothing. The result is the rank's memory, traffic and, if wanted, a trace of its step.
// fit.h uses dry runs before training, world_traces.h for the simulator, `graticule plan --dry-run` prints
// one.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "graticule/comm/group.h"
#include "graticule/core/axes.h"
#include "graticule/core/ledger.h"
#include "graticule/core/model_shape.h"
#include "graticule/core/span.h"
#include "graticule/dry/step_trace.h"
#include "graticule/recipe/options.h"

namespace graticule {

/// The rank that a dry run plays: rank `rank` of `ranks` ranks, with `local_size` ranks on each node.
struct DryRank {
  int ranks = 1, rank = 0, local_size = 1;
};

/// Refuses a rank outside the world, a world without ranks and a node without ranks.
void validate(const DryRank& place);

struct DryRun {
  Booked peak;                             ///< tensors on the rank's device, at the moment of the largest sum
  std::map<std::string, Traffic> traffic;  ///< one step, by group label; only groups that sent something
  Axes axes;
  Span samples, tokens;  ///< the rank's samples of a step, and its tokens of a sample
  int64_t owned = 0;     ///< number of weights whose optimizer state the rank holds
};

/// Runs two training steps and the batches that a loader would read ahead. Two, because gradients and weights
/// of the first step still exist in the second. `recorder` records the second step. activations = auto counts
/// as keep. Refuses a rank outside the world and a layout that cannot work. Not collective, and without
/// effect on the process: a rank of a real run may call it alone.
DryRun dry_run(const Options& options, const ModelShape& shape, const DryRank& place,
               StepRecorder* recorder = nullptr);

/// The trace of one step of the rank. Refuses what dry_run refuses.
StepTrace trace_of_step(const Options& options, const ModelShape& shape, const DryRank& place);

}  // namespace graticule

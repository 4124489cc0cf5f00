// A run without its memory and without the other ranks: the real program on meta tensors (sizes, no data) and
// comm/dry (counts, sends nothing), as any rank of any world.
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

/// Where a dry run stands: rank `rank` of `ranks`, `local_size` of them on a node.
struct DryRank {
  int ranks = 1, rank = 0, local_size = 1;
};

/// Refuses a rank outside the world, and an empty node.
void validate(const DryRank& place);

struct DryRun {
  Booked peak;                             ///< tensors of the rank's device, when they were most
  std::map<std::string, Traffic> traffic;  ///< of one step, by group label; groups that sent nothing left out
  Axes axes;
  Span samples, tokens;  ///< of the rank, in a step and in a sample
  int64_t owned = 0;     ///< weights whose optimizer state it holds
};

/// Runs two training steps (in the second, the first one's gradients and weights are still there), with the
/// batches that a loader reads ahead. Leaves nothing behind. Refuses a rank outside the world and layouts
/// that cannot work; nothing else is collective or global, so a rank of a real run may do it for itself.
/// activations = auto counts as keep. `recorder` records the second step.
DryRun dry_run(const Options& options, const ModelShape& shape, const DryRank& place,
               StepRecorder* recorder = nullptr);

/// What the rank does in a step, in order (same refusals).
StepTrace trace_of_step(const Options& options, const ModelShape& shape, const DryRank& place);

}  // namespace graticule

// The time of a pipeline schedule: when each rank does what, how long it is idle, and how many activations it
// keeps. It simulates only the dependencies between actions, so its results are as good as the costs that it
// is given. `graticule plan --show schedule` prints it.
#pragma once

#include <string>
#include <vector>

#include "graticule/core/pipeline_schedule.h"

namespace graticule {

/// The time of one chunk with one micro-batch, in any unit. The action `backward` takes the sum of its two
/// halves.
struct StageCosts {
  double forward = 1, backward_input = 1, backward_weight = 1;
  double send = 0;  ///< from the end of an action until another rank has its result
};

/// An action with its start and end, in the unit of the costs.
struct TimedAction {
  StageAction action;
  double start, end;
};

/// The actions of all ranks.
struct Timeline {
  ScheduleKind kind;
  int stages, chunks, micro_batches;
  std::vector<std::vector<TimedAction>> ranks;  ///< by stage, each in the order of its schedule
};

/// Simulates a schedule. Every rank follows its list. An action starts when the action before it has ended
/// and its input has arrived: the activation of the virtual stage before, or the gradient of the one behind.
/// Refuses what `validate` refuses, negative costs, and a forward that takes no time.
Timeline simulate(ScheduleKind kind, int stages, int chunks, int micro_batches, const StageCosts& costs = {});

/// The time from the first start to the last end.
double length_of(const Timeline& timeline);

/// The share of idle time: idle time of all ranks divided by their whole time. 0 is a pipeline without
/// bubble.
double bubble_share(const Timeline& timeline);

/// For each stage, the most activations that its rank keeps at once. An activation is that of one micro-batch
/// through one chunk; with v chunks it is a v-th of the stage's. It is kept from its forward to the end of
/// its backward, both halves included.
std::vector<int> most_in_flight(const Timeline& timeline);

/// A picture as text: one line for each rank, one cell for each unit of time, which shows the action at the
/// middle of the unit. "F3", "B3", "W3" are the forward, the backward (or its input half) and the weight half
/// of micro-batch 3. "--" continues an action; "." is idle. With chunks a, b, ... "a3" is a forward and "A3"
/// a backward. A sentence follows with the idle share and the most activations in flight. Cells have no space
/// between them when lines would exceed 120 columns.
std::string drawn(const Timeline& timeline);

}  // namespace graticule

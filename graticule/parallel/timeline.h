// What a pipeline schedule costs: when each rank does what, how long it idles, how much it holds. A
// simulation of the dependencies alone, so its numbers are as good as the costs that it is given.
#pragma once

#include <string>
#include <vector>

#include "graticule/core/pipeline_schedule.h"

namespace graticule {

/// Time of one chunk with one micro-batch, in any unit. `backward` takes the sum of its halves.
struct StageCosts {
  double forward = 1, backward_input = 1, backward_weight = 1;
  double send = 0;  ///< from the end of an action until its result has reached another rank
};

struct TimedAction {
  StageAction action;
  double start, end;
};

struct Timeline {
  ScheduleKind kind;
  int stages, chunks, micro_batches;
  std::vector<std::vector<TimedAction>> ranks;  ///< by stage, each in the order of its schedule
};

/// Every rank follows its list; an action starts when the one before has ended and its input has arrived: the
/// activation of the virtual stage before, or the gradient from the one behind. Refuses what `validate`
/// refuses, and costs below 0 or a forward that takes no time.
Timeline simulate(ScheduleKind kind, int stages, int chunks, int micro_batches, const StageCosts& costs = {});

/// From the first start to the last end.
double length_of(const Timeline& timeline);

/// The idle time of all ranks over their whole time: 0 is a pipeline without bubble.
double bubble_share(const Timeline& timeline);

/// The most activations a rank holds at once, one by stage. An activation is one micro-batch's through one
/// chunk (with v chunks a v-th of the stage's), held from its forward to the end of its backward, both halves
/// of it.
std::vector<int> most_in_flight(const Timeline& timeline);

/// A picture: a line a rank, a cell a unit of time, which shows what runs at its middle. "F3 B3 W3" are the
/// forward, backward (input's half, or both) and weight's half of micro-batch 3; "--" goes on with it, "."
/// idles. With chunks a, b, ...: "a3" is a forward, "A3" a backward. A sentence follows with the idle share
/// and the most activations in flight. Cells touch where lines would pass 120 columns.
std::string drawn(const Timeline& timeline);

}  // namespace graticule

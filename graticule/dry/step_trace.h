// A *trace*: the events of one rank in a training step, in the order in which the program runs them. An event
// is a kernel, the start of an exchange, or a wait for an exchange. A dry run (dry_run.h) records it; the
// simulator replays it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "graticule/comm/dry/dry.h"
#include "graticule/dry/kernel_recorder.h"

namespace graticule {

struct TracedKernel {
  Kernel kernel;
  bool updates;  ///< belongs to the optimizer's update
};

struct TracedStart {
  size_t group;  ///< index in StepTrace::groups
  DryExchange exchange;
};

struct TracedWait {
  size_t start;  ///< index among the TracedStarts of the trace
};

using TraceEvent = std::variant<TracedKernel, TracedStart, TracedWait>;

/// A group in which the rank exchanges: its label, its size, and the rank's place in it.
struct TracedGroup {
  std::string label;
  int ranks, rank;
};

struct StepTrace {
  std::vector<TracedGroup> groups;
  std::vector<TraceEvent> events;
};

/// Makes a trace. It listens to a dry world (comm/dry/dry.h) and, between start() and stop(), to the kernels
/// of this thread. An exchange that was started before start() is not in the trace, nor is the wait for it.
class StepRecorder {
 public:
  explicit StepRecorder(int world_rank) : world_rank_(world_rank) {}
  StepRecorder(const StepRecorder&) = delete;
  StepRecorder& operator=(const StepRecorder&) = delete;

  /// The listener for dry_world. The recorder must outlive that world.
  DryListener listener();
  /// Begins a new trace.
  void start();
  void stop() { kernels_.reset(); }
  const StepTrace& trace() const { return trace_; }

 private:
  size_t group_of(const std::string& label, const std::vector<int>& members);

  int world_rank_;
  StepTrace trace_;
  std::optional<KernelRecorder> kernels_;  ///< exists while the trace is recorded
  int64_t heard_ = 0;                      ///< exchanges started so far, those before the step too
  int64_t first_ = 0;                      ///< number of the first exchange of the step
};

}  // namespace graticule

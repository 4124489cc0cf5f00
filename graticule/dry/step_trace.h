// What a rank does in a training step, in order: its kernels, its exchanges, its waits for them. The real
// program's own order, recorded by a dry run (dry/dry_run.h).
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
  bool updates;  ///< of the optimizer
};

struct TracedStart {
  size_t group;  ///< among the trace's
  DryExchange exchange;
};

struct TracedWait {
  size_t start;  ///< which of the trace's starts
};

using TraceEvent = std::variant<TracedKernel, TracedStart, TracedWait>;

/// A group that the rank exchanges in, and its place there.
struct TracedGroup {
  std::string label;
  int ranks, rank;
};

struct StepTrace {
  std::vector<TracedGroup> groups;
  std::vector<TraceEvent> events;
};

/// Makes a trace: listens to a dry world, and between start() and stop() to this thread's kernels. What was
/// started before is not of the step.
class StepRecorder {
 public:
  explicit StepRecorder(int world_rank) : world_rank_(world_rank) {}
  StepRecorder(const StepRecorder&) = delete;
  StepRecorder& operator=(const StepRecorder&) = delete;

  /// For dry_world; the recorder must outlive it.
  DryListener listener();
  void start();
  void stop() { kernels_.reset(); }
  const StepTrace& trace() const { return trace_; }

 private:
  size_t group_of(const std::string& label, const std::vector<int>& members);

  int world_rank_;
  StepTrace trace_;
  std::optional<KernelRecorder> kernels_;  ///< while it records
  int64_t heard_ = 0;                      ///< exchanges, before the step too
  int64_t first_ = 0;                      ///< of the step
};

}  // namespace graticule

#include "graticule/train/task.h"

#include "graticule/core/error.h"

namespace graticule {

std::vector<TaskScore> Task::scores(Run&, const World&, const TaskSamples&) const {
  GRATICULE_CHECK(false, "a task that looks ahead");
}

void Task::write_predictions(Run&, const World&, const TaskSamples&, const std::string&) const {
  GRATICULE_CHECK(false, "a task that looks ahead");
}

const Task& task_of(const Options& options) {
  switch (options.task.kind) {
    case TaskKind::forecast:
      return forecast_task();
    case TaskKind::reconstruct:
      return reconstruct_task();
    case TaskKind::segment:
      return segment_task();
    case TaskKind::downscale:
      return downscale_task();
    case TaskKind::classify:
      return classify_task();
    case TaskKind::regress:
      return regress_task();
  }
  GRATICULE_CHECK(false, "task");
}

}  // namespace graticule

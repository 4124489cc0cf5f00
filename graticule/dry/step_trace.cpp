#include "graticule/dry/step_trace.h"

#include <algorithm>

namespace graticule {

size_t StepRecorder::group_of(const std::string& label, const std::vector<int>& members) {
  const auto found = std::find_if(trace_.groups.begin(), trace_.groups.end(),
                                  [&](const TracedGroup& group) { return group.label == label; });
  if (found != trace_.groups.end()) return static_cast<size_t>(found - trace_.groups.begin());
  trace_.groups.push_back({label, static_cast<int>(members.size()), place_in(members, world_rank_)});
  return trace_.groups.size() - 1;
}

DryListener StepRecorder::listener() {
  return {[this](const std::string& label, const std::vector<int>& members, DryExchange exchange) {
            ++heard_;
            if (kernels_)
              trace_.events.emplace_back(TracedStart{group_of(label, members), std::move(exchange)});
          },
          [this](int64_t number) {
            if (kernels_ && number >= first_)
              trace_.events.emplace_back(TracedWait{static_cast<size_t>(number - first_)});
          }};
}

void StepRecorder::start() {
  trace_ = {}, first_ = heard_;
  kernels_.emplace([this](const Kernel& kernel, bool updates) {
    trace_.events.emplace_back(TracedKernel{kernel, updates});
  });
}

}  // namespace graticule

#include "graticule/dry/step_trace.h"

#include <algorithm>
#include <numeric>

#include "graticule/core/error.h"

namespace graticule {

namespace {

// Each rank's span twice: to its owner, and from its owner to all others.
int64_t all_reduce_bytes(const std::vector<int64_t>& spans, int64_t all, size_t place) {
  return all - spans[place] + spans[place] * (std::ssize(spans) - 1);
}

int64_t bytes_sent(const DryExchange& exchange, const TracedGroup& group) {
  const auto& bytes = exchange.bytes;
  const auto place = static_cast<size_t>(group.rank);
  const int64_t all = std::accumulate(bytes.begin(), bytes.end(), int64_t{0});
  switch (exchange.kind) {
    case DryExchange::Kind::all_gather:
      return bytes[place] * (group.ranks - 1);
    case DryExchange::Kind::all_to_all:
      return all - bytes[place];
    case DryExchange::Kind::all_reduce:
      return all_reduce_bytes(bytes, all, place);
    case DryExchange::Kind::broadcast:
      return exchange.peer == group.rank ? all * (group.ranks - 1) : 0;
    case DryExchange::Kind::send:
      return all;
    case DryExchange::Kind::receive:
    case DryExchange::Kind::barrier:
      return 0;
  }
  GRATICULE_CHECK(false, "exchange ", static_cast<int>(exchange.kind));
}

}  // namespace

Work work_of(const StepTrace& trace) {
  Work work;
  for (const TraceEvent& event : trace.events) {
    const auto* traced = std::get_if<TracedKernel>(&event);
    if (!traced) continue;
    if (traced->kernel.kind == Kernel::Kind::linear) work.linear += traced->kernel.flops;
    if (traced->kernel.kind == Kernel::Kind::attention) work.attention += traced->kernel.flops;
  }
  return work;
}

std::map<std::string, int64_t> bytes_of(const StepTrace& trace) {
  std::map<std::string, int64_t> bytes;
  for (const TraceEvent& event : trace.events) {
    const auto* start = std::get_if<TracedStart>(&event);
    if (!start) continue;
    const TracedGroup& group = trace.groups[start->group];
    const int64_t sent = bytes_sent(start->exchange, group);
    if (sent > 0) bytes[group.label] += sent;
  }
  return bytes;
}

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

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/simulate.h"

namespace graticule {

namespace {

using nlohmann::json;

json named(const char* what, int64_t process, int64_t thread, const std::string& name) {
  return {{"ph", "M"}, {"name", what}, {"pid", process}, {"tid", thread}, {"args", {{"name", name}}}};
}

constexpr double us = 1e6;

}  // namespace

std::string trace_of(const Simulation& simulation, int64_t ranks_a_node) {
  json events = json::array();
  int64_t exchanges = 0;
  for (const auto& [rank, intervals] : simulation.drawn) {
    const int64_t node = rank / ranks_a_node;
    events.push_back(named("process_name", node, 0, fmt::format("node {}", node)));
    events.push_back(named("thread_name", node, rank, fmt::format("rank {}", rank)));
    for (const auto& [kind, what, start, end] : intervals) {
      if (kind != Interval::Kind::exchange) {
        const std::string name = kind == Interval::Kind::waits ? "wait for " + what : what;
        events.push_back({{"ph", "X"},
                          {"name", name},
                          {"pid", node},
                          {"tid", rank},
                          {"ts", start * us},
                          {"dur", (end - start) * us}});
        continue;
      }
      // Exchanges overlap each other, which slices of a thread may not; so they are asynchronous events.
      const std::string name = fmt::format("rank {}: {}", rank, what);
      ++exchanges;
      for (const auto& [phase, time] : {std::pair{"b", start}, {"e", end}}) {
        events.push_back({{"ph", phase},
                          {"cat", "exchange"},
                          {"name", name},
                          {"id", exchanges},
                          {"pid", node},
                          {"tid", rank},
                          {"ts", time * us}});
      }
    }
  }
  return json{{"displayTimeUnit", "ms"}, {"traceEvents", std::move(events)}}.dump();
}

}  // namespace graticule

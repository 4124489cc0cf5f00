#include "graticule/parallel/timeline.h"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <map>
#include <optional>
#include <sstream>
#include <utility>

#include "graticule/core/error.h"

namespace graticule {
namespace {

using Kind = StageAction::Kind;

double cost_of(Kind kind, const StageCosts& costs) {
  switch (kind) {
    case Kind::forward:
      return costs.forward;
    case Kind::backward:
      return costs.backward_input + costs.backward_weight;
    case Kind::backward_input:
      return costs.backward_input;
    case Kind::backward_weight:
      return costs.backward_weight;
  }
  GRATICULE_CHECK(false, "action ", static_cast<int>(kind));
}

// The times at which results were ready, by virtual stage and micro-batch; absent: not yet.
struct Results {
  int stages, last;
  double send;
  std::map<std::pair<int, int>, double> activations, gradients;

  // The time at which the input of `action` of `stage` is there.
  std::optional<double> ready(const StageAction& action, int stage) const {
    const int here = action.chunk * stages + stage;
    const bool forward = action.kind == Kind::forward;
    // No message is needed: the loss follows the last forward, and a weight half follows its input half on
    // the same rank.
    if (here == (forward ? 0 : last) || action.kind == Kind::backward_weight) return 0;
    const auto& made = forward ? activations : gradients;
    const auto found = made.find({here + (forward ? -1 : 1), action.micro});
    if (found == made.end()) return std::nullopt;
    return found->second + (stages > 1 ? send : 0);
  }

  void add(const StageAction& action, int stage, double time) {
    if (action.kind == Kind::backward_weight) return;
    (action.kind == Kind::forward ? activations : gradients)[{action.chunk * stages + stage, action.micro}] =
        time;
  }
};

std::string label_of(const StageAction& action, bool chunks) {
  const bool forward = action.kind == Kind::forward;
  char letter = forward ? 'F' : action.kind == Kind::backward_weight ? 'W' : 'B';
  if (chunks) letter = static_cast<char>((forward ? 'a' : 'A') + action.chunk % 26);
  return letter + std::to_string(action.micro);
}

std::string line_of(const std::vector<TimedAction>& rank, int cells, size_t label, size_t gap, bool chunks) {
  std::string line;
  auto next = rank.begin();
  const TimedAction* shown = nullptr;
  for (int cell = 0; cell < cells; ++cell) {
    const double middle = cell + 0.5;
    while (next != rank.end() && next->end <= middle) ++next;
    std::string content = ".";
    if (next != rank.end() && next->start <= middle) {
      content = shown == &*next ? std::string(label, '-') : label_of(next->action, chunks);
      shown = &*next;
    }
    content.resize(label + gap, ' ');
    line += content;
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

}  // namespace

Timeline simulate(ScheduleKind kind, int stages, int chunks, int micro_batches, const StageCosts& costs) {
  validate(kind, stages, chunks, micro_batches);
  const auto is_time = [](double cost) { return std::isfinite(cost) && cost >= 0; };
  if (!is_time(costs.forward) || costs.forward == 0 || !is_time(costs.backward_input) ||
      !is_time(costs.backward_weight) || !is_time(costs.send)) {
    refuse("pipeline", "costs ", costs.forward, ",", costs.backward_input, ",", costs.backward_weight, ",",
           costs.send, ": give finite times, a forward above 0 and the others 0 or more");
  }
  std::vector<std::vector<StageAction>> schedules;
  schedules.reserve(stages);
  for (int s = 0; s < stages; ++s) schedules.push_back(schedule_of(kind, stages, s, chunks, micro_batches));
  Timeline timeline{kind, stages, chunks, micro_batches, {}};
  timeline.ranks.resize(stages);
  Results results{stages, stages * chunks - 1, costs.send, {}, {}};
  // Each rank runs as many actions as it can, round after round, until no rank advances.
  for (bool moved = true; moved;) {
    moved = false;
    for (int s = 0; s < stages; ++s) {
      auto& done = timeline.ranks[s];
      while (done.size() < schedules[s].size()) {
        const StageAction& action = schedules[s][done.size()];
        const auto ready = results.ready(action, s);
        if (!ready) break;
        const double start = std::max(*ready, done.empty() ? 0 : done.back().end);
        const double end = start + cost_of(action.kind, costs);
        done.push_back({action, start, end});
        results.add(action, s, end);
        moved = true;
      }
    }
  }
  for (int s = 0; s < stages; ++s) {
    GRATICULE_CHECK(timeline.ranks[s].size() == schedules[s].size(), name_of(kind), " over ", stages,
                    " stages, ", chunks, " chunks, ", micro_batches, " micro-batches dead-locks at stage ",
                    s);
  }
  return timeline;
}

double length_of(const Timeline& timeline) {
  double length = 0;
  for (const auto& rank : timeline.ranks) length = std::max(length, rank.back().end);
  return length;
}

double bubble_share(const Timeline& timeline) {
  double busy = 0;
  for (const auto& rank : timeline.ranks) {
    for (const auto& timed : rank) busy += timed.end - timed.start;
  }
  return std::max(0.0, 1 - busy / (length_of(timeline) * timeline.stages));
}

std::vector<int> most_in_flight(const Timeline& timeline) {
  std::vector<int> most;
  for (const auto& rank : timeline.ranks) {
    int held = 0;
    most.push_back(0);
    for (const auto& timed : rank) {
      if (timed.action.kind == Kind::forward) most.back() = std::max(most.back(), ++held);
      if (timed.action.kind == Kind::backward || timed.action.kind == Kind::backward_weight) --held;
    }
  }
  return most;
}

std::string drawn(const Timeline& timeline) {
  const bool chunks = timeline.chunks > 1;
  const int cells = static_cast<int>(std::ceil(length_of(timeline) - 1e-9));
  const size_t label = 1 + std::to_string(timeline.micro_batches - 1).size();
  const size_t margin = std::to_string(timeline.stages - 1).size();
  const size_t gap = margin + 2 + cells * (label + 1) > 120 ? 0 : 1;
  std::ostringstream out;
  for (int s = 0; s < timeline.stages; ++s) {
    out << std::setw(static_cast<int>(margin)) << s << "  "
        << line_of(timeline.ranks[s], cells, label, gap, chunks) << "\n";
  }
  const auto most = most_in_flight(timeline);
  const auto top = std::max_element(most.begin(), most.end());
  out << name_of(timeline.kind) << ", " << timeline.micro_batches << " micro-batches: " << std::fixed
      << std::setprecision(1) << 100 * bubble_share(timeline) << " % of the time idle; at most " << *top
      << (chunks ? " chunks' activations" : " micro-batches") << " in flight, on stage " << top - most.begin()
      << "\n";
  return out.str();
}

}  // namespace graticule

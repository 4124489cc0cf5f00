#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>

#include "cli/simulate.h"
#include "graticule/core/group_of.h"

namespace graticule {

namespace {

/// Mean and largest value over all ranks.
struct Spread {
  double mean = 0, worst = 0;
};

template <class Value>
Spread spread_of(const std::vector<RankTime>& ranks, const Value& value) {
  Spread spread;
  for (const RankTime& time : ranks) {
    const double seconds = value(time);
    spread.mean += seconds / static_cast<double>(ranks.size());
    spread.worst = std::max(spread.worst, seconds);
  }
  return spread;
}

struct Part {
  std::string name;
  Spread seconds;
};

bool is_of_stages(const std::string& label) { return is_of_stages(value_named<GroupOf>(label).value()); }

double sum_over(const std::map<std::string, double>& seconds,
                const std::function<bool(const std::string&)>& of) {
  double sum = 0;
  for (const auto& [label, value] : seconds) sum += of(label) ? value : 0;
  return sum;
}

// Seconds that a rank waits for other stages: for their messages, and with several stages also idle time
// before the sums over all ranks at the end.
double bubble_of(const RankTime& time, bool stages) {
  return sum_over(time.waited, is_of_stages) + sum_over(time.idled, [&](const std::string& label) {
           return is_of_stages(label) || (stages && label == name_of(GroupOf::world));
         });
}

double idle_of(const RankTime& time, bool stages) {
  return sum_over(time.idled, [](const std::string&) { return true; }) + sum_over(time.waited, is_of_stages) -
         bubble_of(time, stages);
}

// The parts of a step: first what ranks do, then what they wait for.
std::vector<Part> parts_of(const std::vector<RankTime>& ranks, bool stages) {
  std::vector<Part> parts;
  for (const Activity activity : all_activities) {
    parts.push_back({std::string(name_of(activity)),
                     spread_of(ranks, [&](const RankTime& time) { return time.of(activity); })});
  }
  parts.push_back(
      {"bubble", spread_of(ranks, [&](const RankTime& time) { return bubble_of(time, stages); })});
  parts.push_back(
      {"slower ranks", spread_of(ranks, [&](const RankTime& time) { return idle_of(time, stages); })});
  std::set<std::string> labels;
  for (const RankTime& time : ranks) {
    for (const auto& [label, seconds] : time.waited) labels.insert(label);
  }
  for (const std::string& label : labels) {
    if (is_of_stages(label)) continue;
    parts.push_back({"exposed " + label, spread_of(ranks, [&](const RankTime& time) {
                       const auto found = time.waited.find(label);
                       return found == time.waited.end() ? 0 : found->second;
                     })});
  }
  return parts;
}

double share_of_peak(const SimulatedStep& step) {
  const Rates& rates =
      step.options.train.precision == Precision::bf16 ? step.cluster.bf16 : step.cluster.fp32;
  const double products =
      flops(step.shape).step() * static_cast<double>(step.options.data.batch * step.options.train.rollout);
  return products / (rates.peak * static_cast<double>(step.simulation.ranks.size()) * step.seconds());
}

}  // namespace

void print_simulation(const SimulatedStep& step, bool json) {
  const Simulation& simulation = step.simulation;
  std::vector<Part> parts = parts_of(simulation.ranks, step.axes.pipeline > 1);
  parts.push_back({"reading", {step.files.reading, step.files.reading}});
  parts.push_back({"checkpoints", {step.files.checkpoints, step.files.checkpoints}});
  const double efficiency =
      spread_of(simulation.ranks, [](const RankTime& time) { return time.busy(); }).mean / step.seconds();
  const double ratio = step.seconds() / step.closed_form;
  if (json) {
    nlohmann::json seconds;
    for (const auto& [name, spread] : parts) seconds[name] = {{"mean", spread.mean}, {"worst", spread.worst}};
    nlohmann::json axes;
    for (const Axis axis : all_axes) axes[std::string(name_of(axis))] = step.axes.degree(axis);
    const nlohmann::json all = {{"cluster", step.cluster.name},
                                {"ranks", simulation.ranks.size()},
                                {"axes", axes},
                                {"step_s", step.seconds()},
                                {"efficiency", efficiency},
                                {"share_of_peak", share_of_peak(step)},
                                {"closed_form_s", step.closed_form},
                                {"over_closed_form", ratio},
                                {"messages", simulation.flows},
                                {"parts_s", seconds}};
    fmt::print("{}\n", all.dump());
    return;
  }
  fmt::print("{} ranks of {}: {}\n", simulation.ranks.size(), step.cluster.name, described(step.axes));
  fmt::print(
      "step {:.4g} s: {:.1f} % of it busy, {:.1f} % of peak; closed form {:.4g} s, simulated over it "
      "{:.3f}\n",
      step.seconds(), 100 * efficiency, 100 * share_of_peak(step), step.closed_form, ratio);
  fmt::print("{:<24} {:>10} {:>10}   s, of all ranks\n", "", "mean", "worst");
  for (const auto& [name, spread] : parts) {
    if (spread.worst > 0) fmt::print("{:<24} {:>10.4f} {:>10.4f}\n", name, spread.mean, spread.worst);
  }
}

}  // namespace graticule

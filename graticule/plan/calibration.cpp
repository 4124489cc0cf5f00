#include "graticule/plan/calibration.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "graticule/core/error.h"
#include "graticule/plan/time.h"

namespace graticule {

namespace {

// The FLOPs and bytes of a step: its time on a cluster whose rates are all 1. `block`: seconds of a block.
StepTime sizes_of(const MeasuredStep& step, double block) {
  Cluster unit;
  unit.nodes = unit.devices_per_node = 1;
  unit.memory_bandwidth = unit.pointwise = 1, unit.block = block;
  unit.bf16 = unit.fp32 = {1, 1, 1};
  return time_of_step(unit, step.options, step.shape, Axes{});
}

struct Sum {
  double work = 0, seconds = 0;
  void add(double more, double took) { work += more, seconds += took; }
  double rate() const { return work / seconds; }
};

std::vector<RatePoint> points_of(const std::map<int64_t, Sum>& sums) {
  std::vector<RatePoint> points;
  points.reserve(sums.size());
  for (const auto& [size, sum] : sums) points.push_back({static_cast<double>(size), sum.rate()});
  return points;
}

double fastest(const std::vector<RatePoint>& points) {
  return std::max_element(points.begin(), points.end(),
                          [](const RatePoint& a, const RatePoint& b) { return a.rate < b.rate; })
      ->rate;
}

Rates rates_of(std::span<const MeasuredStep> steps, Precision precision) {
  std::map<int64_t, Sum> linear, attention;
  for (const MeasuredStep& step : steps) {
    if (step.options.train.precision != precision) continue;
    const StepTime sizes = sizes_of(step, 0);
    linear[step.shape.dim].add(sizes.linear, step.linear);
    attention[step.shape.head_dim()].add(sizes.attention, step.attention);
  }
  GRATICULE_CHECK(!linear.empty(), "no step of a precision");
  Rates rates;
  rates.linear_by_width = points_of(linear), rates.attention_by_width = points_of(attention);
  rates.linear = fastest(rates.linear_by_width), rates.attention = fastest(rates.attention_by_width);
  rates.peak = std::max(rates.linear, rates.attention);
  return rates;
}

// Least squares of rest = passes x block + bytes / bandwidth, with each equation divided by its rest.
struct Pointwise {
  double block, bandwidth;
};
Pointwise fit_pointwise(std::span<const MeasuredStep> steps) {
  double pp = 0, pb = 0, bb = 0, p1 = 0, b1 = 0;
  for (const MeasuredStep& step : steps) {
    const double bytes = sizes_of(step, 0).pointwise, passes = sizes_of(step, 1).pointwise - bytes;
    const double p = passes / step.rest, b = bytes / step.rest;
    pp += p * p, pb += p * b, bb += b * b, p1 += p, b1 += b;
  }
  const double determinant = pp * bb - pb * pb;
  const double block = determinant > 0 ? (p1 * bb - b1 * pb) / determinant : 0;
  const double inverse = determinant > 0 ? (b1 * pp - p1 * pb) / determinant : 0;
  if (block <= 0 || inverse <= 0) return {0, bb / b1};  // the bandwidth alone explains the times
  return {block, 1 / inverse};
}

std::string text_of(const std::vector<RatePoint>& points, double unit) {
  std::string text;
  for (const RatePoint& point : points) {
    text += fmt::format("{}[{:.0f}, {:.4g}]", text.empty() ? "" : ", ", point.size, point.rate / unit);
  }
  return "[" + text + "]";
}

std::string text_of(const char* name, const Rates& rates) {
  return fmt::format(
      "\n[device.{}]\npeak_tflops = {:.4g}\nlinear_tflops = {:.4g}\nattention_tflops = {:.4g}\n"
      "linear_by_width = {}\nattention_by_width = {}\n",
      name, rates.peak / 1e12, rates.linear / 1e12, rates.attention / 1e12,
      text_of(rates.linear_by_width, 1e12), text_of(rates.attention_by_width, 1e12));
}

std::string text_of(const Link& link) {
  return fmt::format("bandwidth_gb_s = {:.4g}\nlatency_us = {:.4g}\nby_message = {}\n", link.bandwidth / 1e9,
                     link.latency * 1e6, text_of(link.by_message, 1e9));
}

}  // namespace

void fit_device(Cluster& cluster, std::span<const MeasuredStep> steps) {
  cluster.fp32 = rates_of(steps, Precision::fp32);
  cluster.bf16 = rates_of(steps, Precision::bf16);
  const Pointwise pointwise = fit_pointwise(steps);
  cluster.block = pointwise.block, cluster.pointwise = pointwise.bandwidth;
  Sum updates;
  for (const MeasuredStep& step : steps) updates.add(sizes_of(step, 0).optimizer, step.optimizer);
  cluster.memory_bandwidth = updates.rate();
}

Link fit_link(std::span<const MeasuredMessage> messages) {
  GRATICULE_CHECK(messages.size() > 1, messages.size(), " messages");
  Link link{.bandwidth = 0, .latency = messages[0].seconds};
  for (const MeasuredMessage& message : messages.subspan(1)) {
    // At least a tenth of the time counts as transfer, so that the bandwidth stays finite.
    const double beyond = std::max(message.seconds - link.latency, 0.1 * message.seconds);
    link.by_message.push_back({message.bytes, message.bytes / beyond});
  }
  link.bandwidth = fastest(link.by_message);
  return link;
}

std::string to_toml(const Cluster& cluster, const std::string& source) {
  std::string text = fmt::format(
      "# {}\n# Rates by width: [width, TFLOP/s]; bandwidths by message: [bytes, GB/s].\n"
      "# The peak is the best rate that was measured; that of the data sheet is not known.\n\n"
      "name = \"{}\"\nnodes = {}\ndevices_per_node = {}\n\n"
      "[device]\nmemory_gib = {:.4g}\nmemory_bandwidth_gb_s = {:.4g}\npointwise_gb_s = {:.4g}\n"
      "block_us = {:.4g}\nsharing = {:.4g}\noverlap = {:.2f}\n",
      source, cluster.name, cluster.nodes, cluster.devices_per_node, cluster.memory / (1LL << 30),
      cluster.memory_bandwidth / 1e9, cluster.pointwise / 1e9, cluster.block * 1e6, cluster.sharing,
      cluster.overlap);
  text += text_of("bf16", cluster.bf16) + text_of("fp32", cluster.fp32);
  if (cluster.devices_per_node > 1) text += "\n[within_node]\n" + text_of(cluster.within_node);
  if (cluster.nodes > 1) {
    text += fmt::format("\n[across_nodes]\ninterfaces_per_node = {}\n", cluster.interfaces_per_node) +
            text_of(cluster.interface) + "\n[topology]\nkind = \"flat\"\n";
  }
  return text;
}

}  // namespace graticule

// Fits the numbers of a cluster file to measured times: the inverse of the time model (time.h).
// `graticule plan --calibrate` (bench/calibrate.cpp) measures the times and writes the file.
#pragma once

#include <span>
#include <string>

#include "graticule/plan/cluster.h"
#include "graticule/recipe/options.h"

namespace graticule {

/// A training step of one rank alone, in seconds by part.
struct MeasuredStep {
  Options options;
  ModelShape shape;
  double linear = 0, attention = 0, optimizer = 0;
  double rest = 0;  ///< the step without the three parts above
};

/// A collective of the ranks on a link. Each rank sends `bytes` in one message.
struct MeasuredMessage {
  double bytes = 0, seconds = 0;
};

/// Sets a device's rates by width, its bandwidths and its time of a block (Cluster::block). Needs at least
/// one step of each precision.
///
///   rate at a width                 sum of FLOPs of the steps with this width / sum of their seconds
///   memory_bandwidth                sum of the optimizer's bytes / sum of its seconds
///   pointwise bandwidth W, block t  least squares of the relative error of: rest = passes t + bytes / W
void fit_device(Cluster& cluster, std::span<const MeasuredStep> steps);

/// Latency: the seconds of the first message, which must be the smallest. Bandwidth of each other message:
/// bytes / (seconds - latency). Needs at least two messages, in rising order of bytes.
Link fit_link(std::span<const MeasuredMessage> messages);

/// The text of a cluster file, as parse_cluster reads it. `source`: one line that says where the numbers come
/// from.
std::string to_toml(const Cluster& cluster, const std::string& source);

}  // namespace graticule

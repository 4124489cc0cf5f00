// From measured times to the numbers of a cluster: the time model turned round. What `plan --calibrate`
// measures goes in, what time_of_step reads comes out.
#pragma once

#include <span>
#include <string>

#include "graticule/plan/cluster.h"
#include "graticule/recipe/options.h"

namespace graticule {

/// A step of a lone rank that was timed, in seconds by part.
struct MeasuredStep {
  Options options;
  ModelShape shape;
  double linear = 0, attention = 0, optimizer = 0;
  double rest = 0;  ///< of the step besides
};

/// A collective of all ranks of a link, `bytes` sent by each in one message.
struct MeasuredMessage {
  double bytes = 0, seconds = 0;
};

/// Rates by width, bandwidths and the time of a block, of a device. A rate is all work done at its width over
/// all its time; point-wise bandwidth and the time of a block besides are those whose sum is nearest to what
/// was measured, by relative squares. Needs a step of each precision.
void fit_device(Cluster& cluster, std::span<const MeasuredStep> steps);

/// Latency: of the smallest message. Bandwidth by message: bytes over the seconds beyond that.
Link fit_link(std::span<const MeasuredMessage> messages);

/// As cluster_named reads it. `source`: where the numbers come from, a line.
std::string to_toml(const Cluster& cluster, const std::string& source);

}  // namespace graticule

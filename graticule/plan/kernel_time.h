// How long one kernel takes on a device of a cluster, from sizes.
#pragma once

#include <cstdint>

#include "graticule/plan/cluster.h"
#include "graticule/recipe/options.h"

namespace graticule {

struct Kernel {
  enum class Kind { linear, attention, pointwise };
  Kind kind = Kind::pointwise;
  double flops = 0;   ///< of products
  double bytes = 0;   ///< that point-wise work moves through memory
  int64_t width = 0;  ///< linear: the smallest of the product's three sizes; attention: head width
};

/// Products over the rate at their width, point-wise work over the bandwidth it sustains.
double seconds_of(const Kernel& kernel, const Cluster& cluster, Precision precision);

}  // namespace graticule

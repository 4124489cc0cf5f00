// The time of one kernel on a device of a cluster, from its sizes. The closed form (time.cpp) and the
// simulator use it.
#pragma once

#include <cstdint>

#include "graticule/plan/cluster.h"
#include "graticule/recipe/options.h"

namespace graticule {

struct Kernel {
  enum class Kind { linear, attention, pointwise };
  Kind kind = Kind::pointwise;
  double flops = 0;   ///< linear, attention: operations of the products (a multiply and an add are two)
  double bytes = 0;   ///< pointwise: bytes read and written
  int64_t width = 0;  ///< linear: the smallest of the product's three sizes; attention: head width
};

/// Seconds. linear and attention: flops / rate at `width`; pointwise: bytes / the pointwise bandwidth.
double seconds_of(const Kernel& kernel, const Cluster& cluster, Precision precision);

}  // namespace graticule

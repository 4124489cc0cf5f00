// Clocks and medians for the benchmarks.
#pragma once

#include <functional>
#include <vector>

#include "graticule/comm/group.h"

namespace graticule {

/// The median. For an even number of values: the larger of the two in the middle.
double median(std::vector<double> values);

/// The largest `value` of all ranks, on every rank. Collective.
double largest(double value, const Group& everyone);

/// Seconds that `work` takes on this rank.
double seconds_of(const std::function<void()>& work);

/// All ranks begin `work` together. Returns the seconds of the slowest rank, on every rank. Collective.
double seconds_of_slowest(const std::function<void()>& work, const Group& everyone);

}  // namespace graticule

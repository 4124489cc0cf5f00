// Clocks of the benchmarks.
#pragma once

#include <functional>
#include <vector>

#include "graticule/comm/group.h"

namespace graticule {

/// The upper one of an even number of values.
double median(std::vector<double> values);

/// The largest of all ranks' values, on every rank. Collective.
double largest(double value, const Group& everyone);

double seconds_of(const std::function<void()>& work);

/// All ranks begin together; the slowest counts. Collective.
double seconds_of_slowest(const std::function<void()>& work, const Group& everyone);

}  // namespace graticule

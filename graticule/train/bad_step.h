// Says where a loss or a gradient that is not finite came from: which sample, variable and time. step.cpp asks
// before it drops such a step.
#pragma once

#include <string>

#include "graticule/train/run.h"

namespace graticule {

/// Runs the model forward on `batch` once more and looks at each sample and variable. `batch`: the last that
/// run.loader gave; the chain has its gradients. Returns the same sentence on all ranks: the first sample whose
/// loss is not finite, with its most extreme value, or, if all parts of the loss are finite, the parameters
/// whose gradient is not. Of a roll-out it runs the first step alone. Collective over the world.
std::string origin_of_bad(Run& run, const Batch& batch);

/// The sample and the variable with the largest part of the loss of `batch`, in words that follow "most of it
/// is". Collective over the world.
std::string largest_part(Run& run, const Batch& batch);

}  // namespace graticule

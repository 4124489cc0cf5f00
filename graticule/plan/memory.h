// The tensors that a rank holds at the peak of a training step, by account.
#pragma once

#include "graticule/core/axes.h"
#include "graticule/core/ledger.h"
#include "graticule/model/shape.h"
#include "graticule/train/options.h"

namespace graticule {

/// Of `rank`. The layout must be one that trouble_with (train/layout.h) finds nothing wrong with.
Booked memory_of_step(const Options& options, const ModelShape& shape, const Axes& axes, int rank);

}  // namespace graticule

// The exponential average of the weights (train.ema): beside each weight w, a slow average a. After update
// number t (from 1)
//
//   a <- d a + (1 - d) w,   d = min(train.ema, (1 + t) / (10 + t))
//
// The average of a run without it starts as the weights. The growing d makes the first averages short, so that
// the initial weights are soon forgotten: their part in a is the product of all d, 2 / 11 after one update
// and 6e-5 after ten. The average is fp32, and is sharded as the master weights are (parallel/shard.h).
// step.cpp updates it; loop.cpp scores it.
#pragma once

#include <cstdint>

#include "graticule/parallel/chain.h"

namespace graticule {

/// d of update number `step` (from 1).
double average_decay(double ema, int64_t step);

/// Moves the averages of this rank towards its weights, after update number `step`. Does nothing when
/// ema = 0. Not collective.
void update_average(Chain& chain, double ema, int64_t step);

/// Exchanges the weights and their averages, bit for bit: called once the model computes with the averages, and
/// called again with the weights. Collective as update() (optimizer.h).
void exchange_average(Chain& chain);

}  // namespace graticule

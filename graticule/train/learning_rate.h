// The learning rate over the steps.
#pragma once

#include <cstdint>

namespace graticule {

/// Linear warm-up, then half a period of a cosine down to min_lr. `step` counts from 0 to steps - 1.
///   step < warmup:  lr (step + 1) / warmup
///   else:           min_lr + (lr - min_lr) (1 + cos(pi (step - warmup) / (steps - warmup))) / 2
double learning_rate(double lr, double min_lr, int64_t warmup, int64_t steps, int64_t step);

}  // namespace graticule

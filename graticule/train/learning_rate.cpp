#include "graticule/train/learning_rate.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace graticule {

double learning_rate(double lr, double min_lr, int64_t warmup, int64_t steps, int64_t step) {
  if (step < warmup) return lr * static_cast<double>(step + 1) / static_cast<double>(warmup);
  const auto decay = static_cast<double>(std::max<int64_t>(1, steps - warmup));
  const double progress = std::min(1.0, static_cast<double>(step - warmup) / decay);
  return min_lr + (lr - min_lr) * (1 + std::cos(std::numbers::pi * progress)) / 2;
}

}  // namespace graticule

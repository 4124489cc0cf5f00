#include "graticule/train/spikes.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace graticule {

namespace {

constexpr size_t window = 64, fewest = 16;
constexpr double deviations = 8, rise = 1.5;
constexpr int new_level = 3;

double median_of(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

std::optional<double> Spikes::note(double loss) {
  std::optional<double> usual;
  if (losses_.size() >= fewest) {
    const double median = median_of({losses_.begin(), losses_.end()});
    std::vector<double> apart;
    for (const double value : losses_) apart.push_back(std::abs(value - median));
    if (loss > rise * median && loss > median + deviations * median_of(std::move(apart))) usual = median;
  }
  in_a_row_ = usual ? in_a_row_ + 1 : 0;
  if (usual && in_a_row_ < new_level) return usual;
  if (in_a_row_ == new_level) losses_.clear();
  losses_.push_back(loss);
  if (losses_.size() > window) losses_.pop_front();
  return usual;
}

}  // namespace graticule

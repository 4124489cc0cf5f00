#include "graticule/core/cells.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "graticule/core/error.h"

namespace graticule {

namespace {

constexpr double degree = std::numbers::pi / 180, turn = 2 * std::numbers::pi;

}  // namespace

std::vector<Position> middles_of_runs(const Cells& cells, int64_t length) {
  GRATICULE_CHECK(length > 0, "a run of ", length, " cells");
  const auto count = std::ssize(cells.latitudes);
  std::vector<Position> middles;
  for (int64_t begin = 0; begin < count; begin += length) {
    double x = 0, y = 0, z = 0;
    for (int64_t i = begin; i < std::min(count, begin + length); ++i) {
      const double north = cells.latitudes[static_cast<size_t>(i)] * degree,
                   east = cells.longitudes[static_cast<size_t>(i)] * degree;
      x += std::cos(north) * std::cos(east), y += std::cos(north) * std::sin(east), z += std::sin(north);
    }
    const double east = std::fmod(std::atan2(y, x) + turn, turn);
    middles.push_back({std::atan2(z, std::hypot(x, y)), east});
  }
  return middles;
}

double part_of_sphere(const Cells& cells) {
  return std::accumulate(cells.areas.begin(), cells.areas.end(), 0.0);
}

Cells spiral_cells(int64_t count) {
  Cells cells{text(count, " cells on a spiral"), {}, {}, {}};
  for (int64_t i = 0; i < count; ++i) {
    const double height = 1 - (2 * static_cast<double>(i) + 1) / static_cast<double>(count);
    cells.latitudes.push_back(std::asin(height) / degree);
    cells.longitudes.push_back(std::fmod(static_cast<double>(i) / std::numbers::phi, 1.0) * 360);
    cells.areas.push_back(1 / static_cast<double>(count));
  }
  return cells;
}

}  // namespace graticule

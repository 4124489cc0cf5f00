#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "graticule/core/error.h"
#include "graticule/data/loader.h"

namespace graticule {

std::vector<double> latitude_weights(const std::vector<double>& latitudes) {
  const size_t n = latitudes.size();
  if (n > 1 && latitudes.front() > latitudes.back()) {
    std::vector<double> weights = latitude_weights({latitudes.rbegin(), latitudes.rend()});
    std::reverse(weights.begin(), weights.end());
    return weights;
  }
  GRATICULE_CHECK(n > 0 && std::is_sorted(latitudes.begin(), latitudes.end()));
  if (n == 1) return {1.0};
  std::vector<double> edges(n + 1);
  for (size_t y = 1; y < n; ++y) edges[y] = (latitudes[y - 1] + latitudes[y]) / 2;
  // The outermost edge is the pole if the outermost row is less than one row away from it (always on a global
  // grid). Else it is half a row outwards.
  const double south = latitudes[1] - latitudes[0], north = latitudes[n - 1] - latitudes[n - 2];
  edges[0] = latitudes[0] - south < -90 ? -90 : latitudes[0] - south / 2;
  edges[n] = latitudes[n - 1] + north > 90 ? 90 : latitudes[n - 1] + north / 2;

  std::vector<double> weights(n);
  const auto sine = [](double degrees) { return std::sin(degrees * std::numbers::pi / 180); };
  for (size_t y = 0; y < n; ++y) weights[y] = sine(edges[y + 1]) - sine(edges[y]);
  const double mean = std::accumulate(weights.begin(), weights.end(), 0.0) / static_cast<double>(n);
  for (double& weight : weights) weight /= mean;
  return weights;
}

std::vector<double> area_weights(const Catalog& catalog, const TokenGrid& grid) {
  if (catalog.grid == GridKind::sphere) return latitude_weights(catalog.latitudes);
  if (catalog.grid == GridKind::cells) {
    std::vector<double> weights = catalog.cells->areas;
    const double mean = part_of_sphere(*catalog.cells) / static_cast<double>(weights.size());
    for (double& weight : weights) weight /= mean;
    return weights;
  }
  if (std::ssize(catalog.row_areas) == grid.lines()) return catalog.row_areas;
  return std::vector<double>(static_cast<size_t>(grid.lines()), 1.0);
}

}  // namespace graticule

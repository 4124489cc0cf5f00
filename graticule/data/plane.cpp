#include <algorithm>
#include <cmath>
#include <numeric>

#include "graticule/core/error.h"
#include "graticule/data/coordinates.h"

namespace graticule {

namespace {

void set_latitudes(Plane& plane, std::vector<double> latitudes, const std::string& where) {
  plane.latitude_descending = latitudes.size() > 1 && latitudes[0] > latitudes[1];
  if (plane.latitude_descending) std::reverse(latitudes.begin(), latitudes.end());
  const auto rises = [](double a, double b) { return !(a < b); };
  if (std::adjacent_find(latitudes.begin(), latitudes.end(), rises) != latitudes.end()) {
    refuse("grid", where,
           ": the latitudes are not in order: sort the rows from south to north or north to south");
  }
  if (latitudes.front() < -90.001 || latitudes.back() > 90.001) {
    refuse("grid", where, ": latitudes from ", latitudes.front(), " to ", latitudes.back(),
           ", allowed are -90 to 90");
  }
  plane.latitudes = std::move(latitudes);
}

// The index at which a region on both sides of 0 degrees begins: behind the largest gap, if that is larger
// than the spacing of neighbours. 0 for any other grid.
size_t west_edge(const std::vector<double>& ascending) {
  constexpr double much = 1.5;  // times the gap across 0 degrees
  double largest = 0;
  size_t edge = 0;
  for (size_t x = 1; x < ascending.size(); ++x) {
    if (ascending[x] - ascending[x - 1] > largest) {
      largest = ascending[x] - ascending[x - 1];
      edge = x;
    }
  }
  const double across = ascending.front() + 360 - ascending.back();
  return largest > much * across ? edge : 0;
}

void set_longitudes(Plane& plane, const std::vector<double>& stored, const std::string& where) {
  // Coordinates stored in fp32 differ from 360 by more than the last digit of fp64.
  const double near = std::min(1e-3, 360.0 / static_cast<double>(stored.size()) / 20);
  std::vector<double> east(stored.size());
  for (size_t x = 0; x < stored.size(); ++x) {
    east[x] = std::fmod(stored[x], 360);
    if (east[x] < 0) east[x] += 360;
    if (east[x] >= 360 - near) east[x] = 0;
  }
  plane.closed = stored.size() > 2 && std::abs(std::abs(stored.back() - stored.front()) - 360) < near;
  plane.columns.resize(east.size() - (plane.closed ? 1 : 0));
  std::iota(plane.columns.begin(), plane.columns.end(), int64_t{0});
  const auto at = [&](int64_t x) { return east[static_cast<size_t>(x)]; };
  std::sort(plane.columns.begin(), plane.columns.end(), [&](int64_t a, int64_t b) { return at(a) < at(b); });
  for (const int64_t x : plane.columns) {
    if (!plane.longitudes.empty() && at(x) - plane.longitudes.back() < near) {
      refuse("grid", where, ": longitude ", at(x),
             " is given twice, not by the first and the last column: cut one of them off");
    }
    plane.longitudes.push_back(at(x));
  }
  const size_t edge = west_edge(plane.longitudes);
  if (edge == 0) return;
  const auto middle = static_cast<std::ptrdiff_t>(edge);
  for (size_t x = edge; x < plane.longitudes.size(); ++x) plane.longitudes[x] -= 360;
  std::rotate(plane.longitudes.begin(), plane.longitudes.begin() + middle, plane.longitudes.end());
  std::rotate(plane.columns.begin(), plane.columns.begin() + middle, plane.columns.end());
}

}  // namespace

double grid_tolerance(const std::vector<double>& coordinates) {
  double near = 1e-3;
  for (size_t i = 1; i < coordinates.size(); ++i)
    near = std::min(near, std::abs(coordinates[i] - coordinates[i - 1]) / 20);
  return near;
}

Plane plane_of(const CoordinateAxis& rows, const CoordinateAxis& columns, const std::string& where) {
  Plane plane;
  set_latitudes(plane, rows.values, where);
  set_longitudes(plane, columns.values, where);
  plane.as_stored = !plane.closed && std::is_sorted(plane.columns.begin(), plane.columns.end());
  return plane;
}

}  // namespace graticule

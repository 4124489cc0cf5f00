#include "graticule/data/cell_list.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "graticule/core/error.h"
#include "graticule/data/healpix.h"
#include "graticule/data/loader.h"

namespace graticule {

namespace {

// Cells of one latitude that follow each other.
struct CellRow {
  double latitude;
  int64_t cells;
};

std::vector<CellRow> cell_rows_of(const std::vector<double>& latitudes) {
  constexpr double near = 1e-6;
  std::vector<CellRow> rows;
  for (const double latitude : latitudes) {
    if (rows.empty() || std::abs(rows.back().latitude - latitude) > near) rows.push_back({latitude, 0});
    ++rows.back().cells;
  }
  return rows;
}

// Whether the cells lie in rows from pole to pole: each latitude once, in order, and several cells on most.
bool are_rows(const std::vector<CellRow>& rows, size_t cells) {
  constexpr size_t several = 4;
  const auto falls = [](const CellRow& a, const CellRow& b) { return a.latitude > b.latitude; };
  const auto rises = [](const CellRow& a, const CellRow& b) { return a.latitude < b.latitude; };
  return rows.size() > 1 && rows.size() * several <= cells &&
         (std::is_sorted(rows.begin(), rows.end(), falls) || std::is_sorted(rows.begin(), rows.end(), rises));
}

// The latitudes of a Gaussian grid, from the north: the zeros of Legendre's polynomial of this degree (Newton's method).
std::vector<double> gaussian_latitudes(size_t count) {
  const auto n = static_cast<double>(count);
  std::vector<double> latitudes;
  for (size_t i = 0; i < count; ++i) {
    double x = std::cos(std::numbers::pi * (static_cast<double>(i) + 0.75) / (n + 0.5)), step = 1;
    for (int round = 0; round < 20 && std::abs(step) > 1e-15; ++round) {
      double before = 1, now = x;
      for (double k = 2; k <= n; ++k) {
        const double next = ((2 * k - 1) * x * now - (k - 1) * before) / k;
        before = now, now = next;
      }
      step = now * (x * x - 1) / (n * (x * now - before));
      x -= step;
    }
    latitudes.push_back(std::asin(x) * 180 / std::numbers::pi);
  }
  return latitudes;
}

std::string name_of_rows(std::vector<CellRow> rows) {
  std::string plain = text("cells in ", rows.size(), " rows");
  if (rows.front().latitude < rows.back().latitude) std::reverse(rows.begin(), rows.end());
  if (rows.size() % 2 != 0) return plain;
  const std::vector<double> gaussian = gaussian_latitudes(rows.size());
  bool octahedral = true;
  for (size_t i = 0; i < rows.size(); ++i) {
    if (std::abs(rows[i].latitude - gaussian[i]) > cell_tolerance) return plain;
    octahedral &= rows[i].cells == 20 + 4 * static_cast<int64_t>(std::min(i, rows.size() - 1 - i));
  }
  return text("reduced Gaussian ", octahedral ? "O" : "N", rows.size() / 2);
}

// About the part of the sphere that the cells cover: of boxes of one size, those that hold a cell.
double covered_part(const Cells& cells) {
  constexpr double cells_of_box = 16, most_bands = 32;
  const double room = std::sqrt(static_cast<double>(cells.latitudes.size()) / (2 * cells_of_box));
  const auto bands = static_cast<int64_t>(std::clamp(room, 1.0, most_bands)), columns = 2 * bands;
  std::vector<bool> held(static_cast<size_t>(bands * columns), false);
  for (size_t i = 0; i < cells.latitudes.size(); ++i) {
    const double up = (std::sin(cells.latitudes[i] * std::numbers::pi / 180) + 1) / 2,
                 east = std::fmod(cells.longitudes[i] + 360, 360.0) / 360;
    const auto band = std::min(bands - 1, static_cast<int64_t>(up * static_cast<double>(bands))),
               column = std::min(columns - 1, static_cast<int64_t>(east * static_cast<double>(columns)));
    held[static_cast<size_t>(band * columns + column)] = true;
  }
  return static_cast<double>(std::count(held.begin(), held.end(), true)) / static_cast<double>(held.size());
}

void set_areas_of_rows(const std::vector<CellRow>& rows, Cells& cells) {
  std::vector<double> latitudes;
  latitudes.reserve(rows.size());
  for (const CellRow& row : rows) latitudes.push_back(row.latitude);
  const std::vector<double> weights = latitude_weights(latitudes);
  const double part = covered_part(cells) / static_cast<double>(rows.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    const double share = part * weights[i] / static_cast<double>(rows[i].cells);
    cells.areas.insert(cells.areas.end(), static_cast<size_t>(rows[i].cells), share);
  }
}

void check_areas(const std::vector<double>& areas, const std::string& where) {
  for (size_t i = 0; i < areas.size(); ++i) {
    if (std::isfinite(areas[i]) && areas[i] > 0) continue;
    refuse("grid", where, ": the area of cell ", i, " is ", areas[i], ": areas must be positive numbers");
  }
}

void set_given_areas(std::vector<double> areas, double unit_area, Cells& cells) {
  constexpr double slack = 1.01;  // for another radius of the Earth
  const double sum = std::accumulate(areas.begin(), areas.end(), 0.0);
  const double unit = unit_area > 0 && sum * unit_area < slack ? unit_area : covered_part(cells) / sum;
  for (double& area : areas) area *= unit;
  cells.areas = std::move(areas);
}

void check_places(const Cells& cells, const std::string& where) {
  for (size_t i = 0; i < cells.latitudes.size(); ++i) {
    const double north = cells.latitudes[i], east = cells.longitudes[i];
    if (std::abs(north) <= 90.001 && east >= -360 && east <= 720) continue;
    refuse("grid", where, ": cell ", i, " lies at latitude ", north, ", longitude ", east,
           ": allowed are -90 to 90 and -360 to 720 degrees");
  }
}

}  // namespace

bool same_cells(const Cells& a, const Cells& b) {
  constexpr double degree = std::numbers::pi / 180;
  if (a.latitudes.size() != b.latitudes.size()) return false;
  for (size_t i = 0; i < a.latitudes.size(); ++i) {
    const double across =
        std::remainder(a.longitudes[i] - b.longitudes[i], 360.0) * std::cos(a.latitudes[i] * degree);
    if (std::hypot(across, a.latitudes[i] - b.latitudes[i]) > cell_tolerance) return false;
  }
  return true;
}

Cells cells_at(std::vector<double> latitudes, std::vector<double> longitudes,
               std::optional<std::vector<double>> areas, double unit_area, const std::string& where,
               std::string& note) {
  Cells cells{"cells", std::move(latitudes), std::move(longitudes), {}};
  check_places(cells, where);
  if (areas) check_areas(*areas, where);
  const std::optional<int64_t> nside = nside_of(std::ssize(cells.latitudes));
  for (const auto& [word, order] : choices_of<HealpixOrder>) {
    if (!nside || !has_order(*nside, order)) continue;
    if (Cells known = healpix_cells({*nside, order}); same_cells(known, cells)) return known;
  }
  const std::vector<CellRow> rows = cell_rows_of(cells.latitudes);
  const bool in_rows = are_rows(rows, cells.latitudes.size());
  if (in_rows) cells.name = name_of_rows(rows);
  if (areas) {
    set_given_areas(std::move(*areas), unit_area, cells);
  } else if (in_rows) {
    set_areas_of_rows(rows, cells);
  } else {
    note = where + ": no areas are given (cell_area), and the cells are in no rows: all count the same";
    cells.areas.assign(cells.latitudes.size(),
                       covered_part(cells) / static_cast<double>(cells.latitudes.size()));
  }
  return cells;
}

}  // namespace graticule

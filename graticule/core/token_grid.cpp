#include "graticule/core/token_grid.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "graticule/core/error.h"

namespace graticule {

std::string in_words(const Patch& patch) {
  if (patch == Patch(patch.rows)) return std::to_string(patch.rows);
  const std::string plane = text(patch.rows, " x ", patch.columns);
  return patch.layers == 1 ? plane : text(patch.layers, " x ", plane);
}

std::string size_in_words(const TokenGrid& grid) {
  if (grid.kind == GridKind::cells) return text(grid.rows, " cells");
  const std::string plane = text(grid.rows, " x ", grid.columns);
  return grid.kind == GridKind::volume ? text(grid.layers, " x ", plane) : plane;
}

bool fits(const Patch& patch, const TokenGrid& grid) {
  return patch.rows <= grid.rows && patch.columns <= grid.columns &&
         (grid.kind != GridKind::volume || patch.layers <= grid.layers);
}

void set_cells(TokenGrid& grid, std::shared_ptr<const Cells> cells, int64_t cells_of_patch) {
  grid.kind = GridKind::cells;
  grid.rows = std::ssize(cells->latitudes), grid.columns = 1;
  grid.patch = {1, cells_of_patch, 1};
  grid.cells = std::move(cells);
}

std::vector<double> patch_angles(const TokenGrid& grid, GridAxis axis) {
  GRATICULE_CHECK(grid.cells && std::ssize(grid.cells->latitudes) == grid.rows, "cells");
  const std::vector<Position> middles = middles_of_runs(*grid.cells, grid.patch.rows);
  std::vector<double> angles;
  angles.reserve(middles.size());
  for (const Position& middle : middles)
    angles.push_back(axis == GridAxis::rows ? middle.north + std::numbers::pi / 2 : middle.east);
  return angles;
}

namespace {

int64_t patches_side_by_side(const TokenGrid& grid, GridAxis axis) {
  const double part = grid.cells ? std::min(1.0, part_of_sphere(*grid.cells)) : 1;
  const double side = std::sqrt(4 * std::numbers::pi * part / static_cast<double>(grid.places()));
  const double length = axis == GridAxis::rows ? std::numbers::pi : 2 * std::numbers::pi;
  return std::max<int64_t>(1, std::llround(length / side));
}

}  // namespace

int64_t TokenGrid::patches(GridAxis axis) const {
  if (kind == GridKind::cells && axis != GridAxis::layers) return patches_side_by_side(*this, axis);
  switch (axis) {
    case GridAxis::layers:
      return patch_layers();
    case GridAxis::rows:
      return patch_rows();
    case GridAxis::columns:
      return patch_columns();
  }
  GRATICULE_CHECK(false, "axis");
}

TokenGrid::Place TokenGrid::locate(int64_t token) const {
  GRATICULE_CHECK(token >= 0 && token < tokens(), "token ", token, " of ", tokens());
  const int64_t place = token % places(), row = place / patch_columns();
  return {token / places(), row % patch_rows(), place % patch_columns(), row / patch_rows()};
}

Span TokenGrid::variables_of(const Span& span) const {
  if (mode != TokenMode::full) return {0, variables};
  if (span.empty()) return {};
  return {locate(span.begin).variable, locate(span.end - 1).variable + 1};
}

Span TokenGrid::tokens_of(const Span& span, int64_t variable) const {
  if (mode != TokenMode::full) return span;
  return intersect(span, {variable * places(), (variable + 1) * places()});
}

}  // namespace graticule

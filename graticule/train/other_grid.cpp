#include "graticule/train/other_grid.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "graticule/core/error.h"
#include "graticule/data/stored_array.h"
#include "graticule/train/task.h"

namespace graticule {

namespace {

// Pixel centres along an axis, evenly apart; of Gaussian latitudes nearly so.
struct Line {
  int64_t pixels;
  double first, spacing;

  double begin() const { return first - spacing / 2; }
  double end() const { return begin() + static_cast<double>(pixels) * spacing; }
};

Line line_of(const std::vector<double>& values) {
  const auto n = std::ssize(values);
  return {n, values.front(), n > 1 ? (values.back() - values.front()) / static_cast<double>(n - 1) : 360};
}

// Both to half a pixel of the coarser grid. Rows at the poles reach half a row beyond them.
bool same_rows(const Line& a, const Line& b) {
  const double near = std::max(a.spacing, b.spacing) / 2 + 1e-3;
  const auto apart = [&](double x, double y) {
    return std::abs(std::clamp(x, -90.0, 90.0) - std::clamp(y, -90.0, 90.0));
  };
  return apart(a.begin(), b.begin()) <= near && apart(a.end(), b.end()) <= near;
}

// Columns wrap around, so their waves close only if both are equally long.
bool same_columns(const Line& a, const Line& b) {
  const double coarser = std::max(a.spacing, b.spacing), long_a = a.end() - a.begin(),
               long_b = b.end() - b.begin();
  const bool whole = std::abs(long_a - 360) <= coarser / 2;
  return std::abs(long_a - long_b) <= coarser / 100 &&
         (whole || std::abs(std::remainder(a.begin() - b.begin(), 360.0)) <= coarser / 2 + 1e-3);
}

// `patch`: its pixels of the data along the axis.
TrainedAxis placed(const Line& then, const Line& now, double scale, int64_t patches, int64_t patch) {
  const double from = std::remainder(now.first - then.first, 360.0) / then.spacing + 0.5 - scale / 2;
  return {patches, scale, from / static_cast<double>(patch) / scale};
}

std::string refused_extent(const char* name, const Line& then, const Line& now) {
  return text("its ", then.pixels, " ", name, " reach from ", then.begin(), " to ", then.end(),
              ", the data's ", now.pixels, " ", name, " from ", now.begin(), " to ", now.end());
}

void place_on_sphere(const std::string& checkpoint, const DataForm& trained, const Catalog& catalog,
                     int64_t factor, TokenGrid& grid) {
  const Line rows_then = line_of(trained.latitudes), rows = line_of(catalog.latitudes),
             columns_then = line_of(trained.longitudes), columns = line_of(catalog.longitudes);
  std::string words;
  if (!same_rows(rows_then, rows)) words = refused_extent("latitudes", rows_then, rows);
  if (!same_columns(columns_then, columns)) words = refused_extent("longitudes", columns_then, columns);
  if (!words.empty())
    refuse("checkpoint", checkpoint, " cannot be used on '", catalog.path, "': ", words,
           "; data with more or fewer rows and columns must have the extent that it was trained on");
  TokenGrid then = grid;
  then.rows = rows_then.pixels / factor, then.columns = columns_then.pixels / factor;
  const auto of = [&](GridAxis axis) -> TrainedAxis& { return grid.trained[static_cast<size_t>(axis)]; };
  of(GridAxis::rows) =
      placed(rows_then, rows, rows.spacing / rows_then.spacing, then.patch_rows(), grid.patch.rows * factor);
  of(GridAxis::columns) = placed(
      columns_then, columns, static_cast<double>(columns_then.pixels) / static_cast<double>(columns.pixels),
      then.patch_columns(), grid.patch.columns * factor);
}

void place_in_images(const std::vector<int64_t>& sizes_then, const std::vector<int64_t>& sizes,
                     int64_t factor, TokenGrid& grid) {
  TokenGrid then = grid;
  const std::array<int64_t*, 3> sides = {&then.layers, &then.rows, &then.columns};
  const size_t first = sides.size() - sizes.size();
  for (size_t i = 0; i < sizes.size(); ++i) *sides[first + i] = sizes_then[i] / factor;
  for (size_t i = 0; i < sizes.size(); ++i) {
    const auto axis = static_cast<GridAxis>(first + i);
    grid.trained[first + i] = {then.patches(axis),
                               static_cast<double>(sizes_then[i]) / static_cast<double>(sizes[i])};
  }
}

}  // namespace

std::string place_in_trained_grid(const std::string& checkpoint, const std::optional<DataForm>& trained,
                                  Problem& problem) {
  if (!trained) return "";
  const Catalog& catalog = problem.source->catalog();
  TokenGrid& grid = problem.shape.grid;
  const auto sizes = sizes_of(catalog);
  const Task& task = task_of(problem.options);
  const bool could_tile = !task.looks_ahead() && task.tells_places();
  const int64_t factor = catalog.rows() / grid.rows;  // of a task whose input is coarser than the data
  if (!sizes.empty() && sizes.size() == trained->sizes.size() && sizes != trained->sizes) {
    place_in_images(trained->sizes, sizes, factor, grid);
    return text("the model was trained on images of ", sizes_in_words(trained->sizes), " pixels and runs on ",
                sizes_in_words(sizes),
                ", as on finer or coarser pixels of the same extent; statistics are those of the run",
                could_tile ? " (larger images of the same pixels: --tiles)" : "");
  }
  const bool other = trained->latitudes.size() != catalog.latitudes.size() ||
                     trained->longitudes.size() != catalog.longitudes.size();
  if (!sizes.empty() || catalog.cells || trained->latitudes.empty() || !other) {
    refuse_other_grid(checkpoint, *trained, catalog);
    return "";
  }
  place_on_sphere(checkpoint, *trained, catalog, factor, grid);
  return text("the model was trained on ", trained->latitudes.size(), " x ", trained->longitudes.size(),
              " points and runs on ", catalog.latitudes.size(), " x ", catalog.longitudes.size(),
              "; statistics are those of the run");
}

}  // namespace graticule

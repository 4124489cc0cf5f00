#include "graticule/data/patches.h"

#include <ATen/ops/empty.h>

#include <algorithm>

#include "graticule/core/error.h"
#include "graticule/data/loader.h"

namespace graticule {

namespace {

// The grid's pixels under one patch; fewer than the patch has at the last patches along an axis.
struct Pixels {
  Span layers, rows, columns;
};

Span pixels_along(int64_t number, int64_t side, int64_t size) {
  return {number * side, std::min((number + 1) * side, size)};
}

Pixels pixels_of(const TokenGrid& grid, int64_t place) {
  const int64_t row = place / grid.patch_columns();
  return {pixels_along(row / grid.patch_rows(), grid.patch.layers, grid.layers),
          pixels_along(row % grid.patch_rows(), grid.patch.rows, grid.rows),
          pixels_along(place % grid.patch_columns(), grid.patch.columns, grid.columns)};
}

// Calls visit(line, offset) for each row of the grid under a patch, and where its pixels are in the patch.
template <class Visit>
void each_line(const TokenGrid& grid, const Pixels& pixels, const Visit& visit) {
  for (int64_t z = pixels.layers.begin; z < pixels.layers.end; ++z) {
    for (int64_t y = pixels.rows.begin; y < pixels.rows.end; ++y) {
      const int64_t row = (z - pixels.layers.begin) * grid.patch.rows + y - pixels.rows.begin;
      visit(z * grid.rows + y, row * grid.patch.columns);
    }
  }
}

}  // namespace

Span places_of(const TokenGrid& grid, const Span& tokens, int64_t variable) {
  const Span mine = grid.tokens_of(tokens, variable);
  if (mine.empty()) return {};
  const int64_t first = grid.mode == TokenMode::full ? variable * grid.places() : 0;
  return {mine.begin - first, mine.end - first};
}

Span rows_of_places(const TokenGrid& grid, Span places) {
  if (places.empty()) return {};
  const Pixels first = pixels_of(grid, places.begin), last = pixels_of(grid, places.end - 1);
  const int64_t begin = first.layers.begin * grid.rows, end = (last.layers.end - 1) * grid.rows;
  // Places of one layer of patches lie in some rows of each of its layers; others may lie in all rows.
  if (first.layers == last.layers) return {begin + first.rows.begin, end + last.rows.end};
  return {begin, end + grid.rows};
}

void cut_patches(std::span<const float> field_YX, Span rows, const TokenGrid& grid, Span places, float* out,
                 int64_t stride, float off_grid) {
  GRATICULE_CHECK(static_cast<int64_t>(field_YX.size()) == rows.size() * grid.columns);
  const Span needed = rows_of_places(grid, places);
  GRATICULE_CHECK(places.empty() || intersect(rows, needed) == needed, "rows ", needed.begin, " to ",
                  needed.end);
  for (int64_t place = places.begin; place < places.end; ++place, out += stride) {
    const Pixels pixels = pixels_of(grid, place);
    std::fill(out, out + grid.pixels(), off_grid);
    each_line(grid, pixels, [&](int64_t number, int64_t offset) {
      const float* line = field_YX.data() + (number - rows.begin) * grid.columns;
      std::copy(line + pixels.columns.begin, line + pixels.columns.end, out + offset);
    });
  }
}

at::Tensor of_variable(const at::Tensor& x_TKP, const TokenGrid& grid, const Span& tokens, int64_t variable) {
  if (grid.mode != TokenMode::full) return x_TKP.select(1, variable);
  const Span mine = grid.tokens_of(tokens, variable);
  const int64_t first = mine.empty() ? 0 : mine.begin - tokens.begin;
  return x_TKP.narrow(0, first, mine.size()).select(1, 0);
}

at::Tensor to_patches(const at::Tensor& field_YX, Span rows, const TokenGrid& grid, Span places) {
  const at::Tensor plain_YX = field_YX.to(at::kFloat).contiguous();
  at::Tensor patches_TP = at::empty({places.size(), grid.pixels()});
  const std::span<const float> values(plain_YX.const_data_ptr<float>(),
                                      static_cast<size_t>(plain_YX.numel()));
  cut_patches(values, rows, grid, places, patches_TP.mutable_data_ptr<float>(), grid.pixels());
  return patches_TP;
}

at::Tensor from_patches(const at::Tensor& patches_SP, const TokenGrid& grid) {
  GRATICULE_CHECK(patches_SP.dim() == 2 && patches_SP.size(0) == grid.places() &&
                  patches_SP.size(1) == grid.pixels());
  const at::Tensor plain_SP = patches_SP.to(at::kFloat).contiguous();
  at::Tensor field_YX = at::empty({grid.lines(), grid.columns});
  for (int64_t place = 0; place < grid.places(); ++place) {
    const Pixels pixels = pixels_of(grid, place);
    each_line(grid, pixels, [&](int64_t number, int64_t offset) {
      const float* line = plain_SP.const_data_ptr<float>() + place * grid.pixels() + offset;
      std::copy(line, line + pixels.columns.size(),
                field_YX.mutable_data_ptr<float>() + number * grid.columns + pixels.columns.begin);
    });
  }
  return field_YX;
}

}  // namespace graticule

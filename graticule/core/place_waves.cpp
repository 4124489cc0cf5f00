#include "graticule/core/place_waves.h"

#include <algorithm>
#include <numbers>

#include "graticule/core/error.h"

namespace graticule {

namespace {

// The number of octaves 1, 2, 4 .. that are at most `finest`; at least 1.
int64_t octaves_to(int64_t finest) {
  int64_t count = 1;
  while ((int64_t{1} << count) <= finest) ++count;
  return count;
}

// `count` of the octaves 0 .. all - 1, evenly from the first to the last, as numbers of waves.
std::vector<int64_t> chosen_octaves(int64_t count, int64_t all) {
  std::vector<int64_t> waves;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t octave = count == 1 ? 0 : (2 * i * (all - 1) + count - 1) / (2 * (count - 1));
    waves.push_back(int64_t{1} << octave);
  }
  return waves;
}

// `count` numbers of waves, evenly from 1 to below 1 + `range`.
std::vector<int64_t> even_waves(int64_t count, int64_t range) {
  std::vector<int64_t> waves;
  for (int64_t i = 0; i < count; ++i) waves.push_back(1 + i * range / count);
  return waves;
}

std::vector<int64_t>& along(PlaceWaves& waves, GridAxis axis) {
  return axis == GridAxis::columns ? waves.columns : axis == GridAxis::rows ? waves.rows : waves.layers;
}

}  // namespace

const std::vector<int64_t>& PlaceWaves::along(GridAxis axis) const {
  return axis == GridAxis::columns ? columns : axis == GridAxis::rows ? rows : layers;
}

std::vector<GridAxis> wave_axes(const TokenGrid& grid) {
  std::vector<GridAxis> axes = {GridAxis::columns, GridAxis::rows};
  if (grid.kind == GridKind::volume) axes.push_back(GridAxis::layers);
  return axes;
}

double wave_turn(const TokenGrid& grid, GridAxis axis) {
  return grid.periodic(axis) ? 2 * std::numbers::pi : std::numbers::pi;
}

int64_t narrowest_head(PlaceForm form, int64_t axes) {
  switch (form) {
    case PlaceForm::added:
      return 1;
    case PlaceForm::aimed:
      return (8 * axes + 2) / 3;  // a wave of each axis in 3/8 of the head
    case PlaceForm::rotary:
      return 2 * axes;
  }
  GRATICULE_CHECK(false, "form of place");
}

PlaceWaves octave_waves(const TokenGrid& grid, int64_t head_dim) {
  const std::vector<GridAxis> axes = wave_axes(grid);
  std::vector<int64_t> octaves;
  int64_t wanted = 0;
  for (const GridAxis axis : axes) {
    octaves.push_back(octaves_to(grid.trained_patches(axis) / (grid.periodic(axis) ? 4 : 2)));
    wanted += octaves.back();
  }
  // Each axis takes its share of the waves that fit, rounded, and leaves one for each axis after it.
  PlaceWaves waves;
  int64_t fitting = std::min(wanted, 3 * head_dim / 8);
  for (size_t i = 0; i < axes.size(); ++i) {
    const int64_t after = std::ssize(axes) - 1 - static_cast<int64_t>(i);
    const int64_t share = (2 * fitting * octaves[i] + wanted) / (2 * wanted);
    const int64_t count = after == 0 ? fitting : std::clamp<int64_t>(share, 1, fitting - after);
    along(waves, axes[i]) = chosen_octaves(count, octaves[i]);
    fitting -= count, wanted -= octaves[i];
  }
  return waves;
}

PlaceWaves rotary_waves(const TokenGrid& grid, int64_t head_dim) {
  const std::vector<GridAxis> axes = wave_axes(grid);
  PlaceWaves waves;
  for (const GridAxis axis : axes) {
    const int64_t n = grid.trained_patches(axis);
    along(waves, axis) = even_waves(head_dim / (2 * std::ssize(axes)), grid.periodic(axis) ? n / 2 : n);
  }
  return waves;
}

}  // namespace graticule

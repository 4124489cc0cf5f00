#include "graticule/core/place_waves.h"

#include <algorithm>

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

}  // namespace

PlaceWaves octave_waves(const TokenGrid& grid, int64_t head_dim) {
  const int64_t of_columns = octaves_to(grid.patch_columns() / 4),
                of_rows = octaves_to(grid.patch_rows() / 2);
  const int64_t wanted = of_columns + of_rows, fitting = std::min(wanted, 3 * head_dim / 8);
  const int64_t share = (2 * fitting * of_columns + wanted) / (2 * wanted);  // rounded
  const int64_t columns = std::clamp<int64_t>(share, 1, fitting - 1);
  return {chosen_octaves(columns, of_columns), chosen_octaves(fitting - columns, of_rows)};
}

PlaceWaves rotary_waves(const TokenGrid& grid, int64_t head_dim) {
  const int64_t count = head_dim / 4;
  return {even_waves(count, grid.patch_columns() / 2), even_waves(count, grid.patch_rows())};
}

}  // namespace graticule

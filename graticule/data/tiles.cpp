#include "graticule/data/tiles.h"

#include <cstdint>

namespace graticule {

namespace {

// Along one axis: where a tile begins, and its pixels that count, counted from there.
struct Part {
  int64_t begin;
  Span own;
};

std::vector<Part> parts_of(int64_t pixels, int64_t side) {
  if (pixels == side) return {{0, {0, side}}};
  const int64_t apart = side - side / 4, count = 1 + (pixels - side + apart - 1) / apart;
  const auto begin = [&](int64_t i) { return i * (pixels - side) / (count - 1); };
  // The first pixel that counts in part i: half-way through what it shares with the one before.
  const auto first = [&](int64_t i) {
    return i == 0 ? 0 : i == count ? pixels : (begin(i) + begin(i - 1) + side) / 2;
  };
  std::vector<Part> parts;
  for (int64_t i = 0; i < count; ++i)
    parts.push_back({begin(i), {first(i) - begin(i), first(i + 1) - begin(i)}});
  return parts;
}

}  // namespace

std::vector<Tile> tiles_of(const Catalog& catalog, const TokenGrid& grid) {
  std::vector<Tile> tiles;
  for (const Part& layers : parts_of(catalog.layers(), grid.layers)) {
    for (const Part& rows : parts_of(catalog.rows(), grid.rows)) {
      for (const Part& columns : parts_of(catalog.columns(), grid.columns))
        tiles.push_back({{layers.begin, rows.begin, columns.begin}, layers.own, rows.own, columns.own});
    }
  }
  return tiles;
}

Tile middle_tile(const Catalog& catalog, const TokenGrid& grid) {
  return {middle_crop(catalog, grid), {0, grid.layers}, {0, grid.rows}, {0, grid.columns}};
}

}  // namespace graticule

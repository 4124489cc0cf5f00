#include "graticule/data/token_mask.h"

#include <algorithm>
#include <numeric>

#include "graticule/core/error.h"
#include "graticule/data/random.h"

namespace graticule {

namespace {

// A random stream of the seed of its own (sample_order.cpp has others).
constexpr uint64_t mask_stream = uint64_t{5} << 60;

// The box or variable that a token is hidden with.
int64_t part_of(const TokenMask& mask, const TokenGrid& grid, int64_t token) {
  const TokenGrid::Place place = grid.locate(token);
  switch (mask.kind) {
    case MaskKind::random:
      return token;
    case MaskKind::variable:
      return place.variable;
    case MaskKind::block: {
      const auto boxes = [&](int64_t patches) { return (patches + mask.block - 1) / mask.block; };
      int64_t box = place.variable;
      box = box * boxes(grid.patch_layers()) + place.patch_layer / mask.block;
      box = box * boxes(grid.patch_rows()) + place.patch_row / mask.block;
      return box * boxes(grid.patch_columns()) + place.patch_column / mask.block;
    }
  }
  GRATICULE_CHECK(false, "kind of mask");
}

}  // namespace

std::vector<int64_t> visible_tokens(const TokenMask& mask, const TokenGrid& grid, uint64_t seed,
                                    int64_t draw) {
  const int64_t S = grid.tokens();
  GRATICULE_CHECK(mask.visible > 0 && mask.visible <= S, "visible tokens ", mask.visible, " of ", S);
  std::vector<int64_t> part(static_cast<size_t>(S));
  for (int64_t token = 0; token < S; ++token) part[static_cast<size_t>(token)] = part_of(mask, grid, token);
  // A random order of the parts; the tokens of the first ones are visible.
  std::vector<int64_t> rank(static_cast<size_t>(*std::max_element(part.begin(), part.end()) + 1));
  std::iota(rank.begin(), rank.end(), 0);
  Random random(seed, mask_stream + static_cast<uint64_t>(draw));
  for (int64_t i = std::ssize(rank) - 1; i > 0; --i)
    std::swap(rank[static_cast<size_t>(i)], rank[static_cast<size_t>(random.below(i + 1))]);
  std::vector<int64_t> tokens(static_cast<size_t>(S));
  std::iota(tokens.begin(), tokens.end(), 0);
  std::stable_sort(tokens.begin(), tokens.end(), [&](int64_t a, int64_t b) {
    return rank[static_cast<size_t>(part[static_cast<size_t>(a)])] <
           rank[static_cast<size_t>(part[static_cast<size_t>(b)])];
  });
  tokens.resize(static_cast<size_t>(mask.visible));
  std::sort(tokens.begin(), tokens.end());
  return tokens;
}

}  // namespace graticule

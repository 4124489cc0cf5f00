// HEALPix: 12 nside^2 cells of one size on a sphere (Gorski et al. 2005, arXiv astro-ph/0409513). In the order `ring`
// cells are numbered by rings from the north, in `nested` 4^k neighbouring numbers from a multiple of 4^k are a square.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "graticule/core/cells.h"
#include "graticule/core/choices.h"

namespace graticule {

enum class HealpixOrder { nested, ring };
template <>
inline constexpr auto choices_of<HealpixOrder> =
    std::to_array<Choice<HealpixOrder>>({{"nested", HealpixOrder::nested}, {"ring", HealpixOrder::ring}});

struct Healpix {
  int64_t nside = 1;  ///< a power of two in the order nested
  HealpixOrder order = HealpixOrder::nested;
  int64_t cells() const { return 12 * nside * nside; }
};

/// Whether HEALPix of this nside has the order: nested needs a power of two.
inline bool has_order(int64_t nside, HealpixOrder order) {
  return order == HealpixOrder::ring || (nside & (nside - 1)) == 0;
}

/// nside of a whole sphere of so many cells; nothing when there is no such sphere.
std::optional<int64_t> nside_of(int64_t cells);

/// The cells of these numbers, which must lie in [0, healpix.cells()).
Cells healpix_cells(const Healpix& healpix, const std::vector<int64_t>& numbers);
/// All of them.
Cells healpix_cells(const Healpix& healpix);

}  // namespace graticule

#include "graticule/data/healpix.h"

#include <array>
#include <cmath>
#include <numbers>
#include <numeric>

#include "graticule/core/error.h"

namespace graticule {

namespace {

constexpr int64_t faces = 12;

int64_t whole_root(int64_t square) {
  auto root = static_cast<int64_t>(std::sqrt(static_cast<double>(square)));
  while (root * root > square) --root;
  while ((root + 1) * (root + 1) <= square) ++root;
  return root;
}

// Where a cell lies in its ring: ring 1 .. 4 nside - 1 from the north, number 1 .. of the ring, and the ring's cells in
// a quarter of it. `shift`: the first cell's middle lies half a cell (0) or a whole one (1) to the west of number 1.
struct InRing {
  int64_t ring, number, quarter, shift;
};

InRing in_ring(int64_t nside, int64_t cell) {
  const int64_t cap = 2 * nside * (nside - 1), all = faces * nside * nside;
  if (cell < cap) {
    const int64_t ring = (1 + whole_root(1 + 2 * cell)) / 2;
    return {ring, cell + 1 - 2 * ring * (ring - 1), ring, 0};
  }
  if (cell < all - cap) {
    const int64_t row = (cell - cap) / (4 * nside);
    return {row + nside, (cell - cap) % (4 * nside) + 1, nside, row % 2};
  }
  const int64_t left = all - cell, ring = (1 + whole_root(2 * left - 1)) / 2;
  return {4 * nside - ring, 4 * ring + 1 - (left - 2 * ring * (ring - 1)), ring, 0};
}

// Every second bit of a number, from the lowest.
int64_t every_second_bit(int64_t bits) {
  int64_t result = 0;
  for (int bit = 0; bit < 31; ++bit) result |= (bits >> (2 * bit) & 1) << bit;
  return result;
}

InRing in_ring_of_nested(int64_t nside, int64_t cell) {
  constexpr std::array<int64_t, faces> ring_of_face = {2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4};
  constexpr std::array<int64_t, faces> column_of_face = {1, 3, 5, 7, 0, 2, 4, 6, 1, 3, 5, 7};
  const auto face = static_cast<size_t>(cell / (nside * nside));
  const int64_t inside = cell % (nside * nside), x = every_second_bit(inside),
                y = every_second_bit(inside >> 1);
  const int64_t ring = ring_of_face[face] * nside - x - y - 1;
  const bool cap = ring < nside || ring > 3 * nside;
  const int64_t quarter = ring < nside ? ring : ring > 3 * nside ? 4 * nside - ring : nside;
  const int64_t shift = cap ? 0 : (ring - nside) % 2;
  const int64_t number = (column_of_face[face] * quarter + x - y + 1 + shift) / 2;
  return {ring, (number - 1 + 4 * quarter) % (4 * quarter) + 1, quarter, shift};
}

void add_cell(const Healpix& healpix, const InRing& at, Cells& cells) {
  constexpr double degrees = 180 / std::numbers::pi;
  const auto n = static_cast<double>(healpix.nside);
  double z = (2 * n - static_cast<double>(at.ring)) * 2 / (3 * n), across = std::sqrt(1 - z * z);
  if (at.quarter < healpix.nside) {  // a cap: from its distance to the pole, which is exact near it
    const auto ring = static_cast<double>(at.quarter);
    const double below = ring * ring / (3 * n * n);
    z = at.ring < healpix.nside ? 1 - below : below - 1, across = std::sqrt(below * (2 - below));
  }
  cells.latitudes.push_back(std::atan2(z, across) * degrees);
  const double cell = static_cast<double>(at.number) - static_cast<double>(at.shift + 1) / 2;
  cells.longitudes.push_back(cell * 90 / static_cast<double>(at.quarter));
  cells.areas.push_back(1 / static_cast<double>(healpix.cells()));
}

}  // namespace

std::optional<int64_t> nside_of(int64_t cells) {
  if (cells <= 0 || cells % faces != 0) return std::nullopt;
  const int64_t nside = whole_root(cells / faces);
  return nside * nside * faces == cells ? std::optional(nside) : std::nullopt;
}

Cells healpix_cells(const Healpix& healpix, const std::vector<int64_t>& numbers) {
  const int64_t nside = healpix.nside;
  GRATICULE_CHECK(nside > 0 && has_order(nside, healpix.order), nside);
  Cells cells;
  cells.name = text("HEALPix, nside ", nside, ", ", name_of(healpix.order));
  if (std::ssize(numbers) < healpix.cells()) cells.name += ", a part";
  for (const int64_t number : numbers) {
    GRATICULE_CHECK(number >= 0 && number < healpix.cells(), number);
    const bool nested = healpix.order == HealpixOrder::nested;
    add_cell(healpix, nested ? in_ring_of_nested(nside, number) : in_ring(nside, number), cells);
  }
  return cells;
}

Cells healpix_cells(const Healpix& healpix) {
  std::vector<int64_t> numbers(static_cast<size_t>(healpix.cells()));
  std::iota(numbers.begin(), numbers.end(), int64_t{0});
  return healpix_cells(healpix, numbers);
}

}  // namespace graticule

// How the ranks of one call share attention, as a program chooses it by words. Training chooses by recipe
// (recipe/layout.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "graticule/core/choices.h"

namespace graticule {

/// Rank c U + u has place c in its context group and place u in its ulysses group of U ranks.
struct Arrangement {
  int64_t context = 1, ulysses = 1;
  ContextMethod method = ContextMethod::mesh;
};

/// The sizes of a device mesh of two axes.
struct MeshSizes {
  int64_t context, ulysses;
};

/// The arrangement of `ranks` ranks for `heads` query heads. `scheme`:
///   ulysses          all ranks exchange tokens for heads
///   lss, ring, mesh  all ranks are context ranks
///   ulysses+METHOD   ulysses over the largest number of ranks that divides ranks and heads, the method over the rest;
///                    with `sizes`, over the axes of the device mesh
///   auto             ulysses+mesh
/// Refuses other words, more ulysses ranks than heads, and a mesh with a scheme that has one axis.
Arrangement arrange(const std::string& where, const std::string& scheme, int64_t ranks, int64_t heads,
                    const std::optional<MeshSizes>& sizes = std::nullopt);

}  // namespace graticule

// Finds which dimension of an array of images is what (image_source.h has the rules).
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "graticule/core/image_layout.h"
#include "graticule/data/stored_array.h"

namespace graticule {

/// The dimensions of an array by what they are.
struct ImageRoles {
  std::array<std::optional<size_t>, 6> of;  ///< by ImageDimension
  std::optional<size_t> operator[](ImageDimension what) const { return of[static_cast<size_t>(what)]; }
};

/// The roles of an array's dimensions; nothing when it has too few dimensions to be an image. Refuses an array whose
/// dimensions do not fit layout.dimensions, and one with more dimensions than are known.
std::optional<ImageRoles> image_roles(const ArrayHeader& header, const ImageLayout& layout);

/// The dimensions of a grid: rows and columns, on a volume layers before them.
std::vector<ImageDimension> grid_dimensions(GridKind grid);

}  // namespace graticule

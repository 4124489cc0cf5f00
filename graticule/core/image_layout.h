// What the dimensions of images mean: keys of a recipe's section [data], for open_source (data/source.h).
// docs/images.md has the rules.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graticule/core/choices.h"

namespace graticule {

/// What a dimension of an array is. `sample`: independent images, or trajectories where there is a `step` too.
enum class ImageDimension { sample, step, channel, layer, row, column };
template <>
inline constexpr auto choices_of<ImageDimension> =
    std::to_array<Choice<ImageDimension>>({{"sample", ImageDimension::sample},
                                           {"step", ImageDimension::step},
                                           {"channel", ImageDimension::channel},
                                           {"layer", ImageDimension::layer},
                                           {"row", ImageDimension::row},
                                           {"column", ImageDimension::column}});

struct ImageLayout {
  GridKind grid = GridKind::sphere;  ///< sphere and cells: no images, but fields on a globe
  bool as_found = false;             ///< cells too, where the file has no field on a sphere; not of a recipe
  std::vector<std::string>
      dimensions;                     ///< words of ImageDimension, outermost first; empty: by name and number
  std::vector<std::string> periodic;  ///< words of GridAxis (core/token_grid.h), of axes that the grid has
  int64_t level = 0;                  ///< of resolution in OME-Zarr, 0 the finest
  std::string date_pattern;  ///< where the names of files have their dates (data/file_date.h); "": nowhere
};

}  // namespace graticule

// How tokens are numbered: which piece of which field a token is. This is the only place that numbers tokens.
// The data room reads fields by it, and the model embeds tokens by it.
//
// A field has Y rows of X columns; on a volume it has Z *layers* of them. A *patch* is a box of neighbouring
// pixels. A field is cut into patches, and these are numbered layer by layer, row by row. Where the sides of a
// patch do not divide the grid, the last patches along an axis are smaller; their missing pixels are zeros with
// loss weight 0. No token is padding. The token modes (core/choices.h):
//
//   full                  one token for each variable and patch, all patches of a variable together:
//                         token = variable * places + place
//   aggregated, channels  one token for each patch, which carries every variable: token = place
//   place                 (layer * patch_rows + row) * patch_columns + column
//
// The kinds of grids (GridKind):
//
//   sphere   rows are latitudes, south to north; columns are longitudes, eastwards, and wrap around
//   plane    rows and columns, in the order of the data
//   volume   layers, rows and columns, in the order of the data
//   cells    rows of one pixel, a cell each, in the order of the data; a patch is a run of cells, {1, cells, 1}
//
// An axis of a plane or volume may be *periodic*: its last pixel is a neighbour of its first one.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "graticule/core/cells.h"
#include "graticule/core/choices.h"
#include "graticule/core/span.h"

namespace graticule {

/// The pixels along the sides of a patch. One number gives all sides; `layers` counts on a volume alone.
struct Patch {
  int64_t layers = 1, rows = 1, columns = 1;

  constexpr Patch(int64_t side = 1) : layers(side), rows(side), columns(side) {}
  constexpr Patch(int64_t of_layers, int64_t of_rows, int64_t of_columns)
      : layers(of_layers), rows(of_rows), columns(of_columns) {}
  bool operator==(const Patch&) const = default;
};

/// "4", or "4 x 8 x 8" where the sides differ.
std::string in_words(const Patch& patch);

/// The axes of a grid, in the order in which places are numbered.
enum class GridAxis { layers, rows, columns };
template <>
inline constexpr auto choices_of<GridAxis> = std::to_array<Choice<GridAxis>>(
    {{"layers", GridAxis::layers}, {"rows", GridAxis::rows}, {"columns", GridAxis::columns}});

/// How the patches along an axis lie among those of the grid that a model was trained on.
struct TrainedAxis {
  int64_t patches = 0;          ///< of the trained grid; 0: this grid is the trained one
  double scale = 1, shift = 0;  ///< patch i lies where the trained patch (i + 1/2 + shift) scale - 1/2 would
};

struct TokenGrid {
  TokenMode mode = TokenMode::full;
  int64_t variables = 1;  ///< V, input variables
  int64_t rows = 1;       ///< Y
  int64_t columns = 1;    ///< X
  Patch patch = 1;
  int64_t states = 1;  ///< N, states that the model reads: the present one and earlier ones
  GridKind kind = GridKind::sphere;
  int64_t layers = 1;                       ///< Z; 1 unless the grid is a volume
  std::array<bool, 3> periodic_axes = {};   ///< by GridAxis; of a plane or volume
  std::shared_ptr<const Cells> cells = {};  ///< where the rows lie; of the kind cells alone
  /// By GridAxis: where a model runs on a grid of another size than it was trained on (train/other_grid.h).
  std::array<TrainedAxis, 3> trained = {};

  int64_t patch_layers() const { return kind == GridKind::volume ? parts(layers, patch.layers) : 1; }
  int64_t patch_rows() const { return parts(rows, patch.rows); }
  int64_t patch_columns() const { return parts(columns, patch.columns); }
  /// The number of patches along an axis. Of cells: how many of their mean size lie side by side around the
  /// equator (columns), and from pole to pole (rows).
  int64_t patches(GridAxis axis) const;
  /// The same of the grid that the model was trained on: the waves of place follow from it.
  int64_t trained_patches(GridAxis axis) const {
    const int64_t n = trained[static_cast<size_t>(axis)].patches;
    return n > 0 ? n : patches(axis);
  }
  /// Whether the last pixel along an axis is a neighbour of the first.
  bool periodic(GridAxis axis) const {
    return is_image(kind) ? periodic_axes[static_cast<size_t>(axis)] : axis == GridAxis::columns;
  }
  /// The number of patches of one field.
  int64_t places() const { return patch_layers() * patch_rows() * patch_columns(); }
  /// The rows of all layers, which are numbered layer by layer. Fields are read in ranges of them.
  int64_t lines() const { return layers * rows; }
  /// S, the length of the whole sequence.
  int64_t tokens() const { return mode == TokenMode::full ? variables * places() : places(); }
  /// K, how many variables one token carries.
  int64_t variables_per_token() const { return mode == TokenMode::full ? 1 : variables; }
  /// P, the pixels of one patch.
  int64_t pixels() const {
    return (kind == GridKind::volume ? patch.layers : 1) * patch.rows * patch.columns;
  }
  /// I = N P, the input values of one variable of a token: the pixels at the initial time, then at the times
  /// before it, the latest first.
  int64_t inputs() const { return states * pixels(); }

  /// A token's variable and patch.
  struct Place {
    int64_t variable, patch_row, patch_column;  ///< variable is 0 when a token carries all variables
    int64_t patch_layer = 0;
  };
  /// The place of global token `token` in [0, tokens()).
  Place locate(int64_t token) const;

  /// The range of variables that the tokens of `span` carry.
  Span variables_of(const Span& span) const;
  /// The tokens of `span` that carry `variable`, as a range of global tokens. It is all of `span` in the
  /// modes `aggregated` and `channels`.
  Span tokens_of(const Span& span, int64_t variable) const;

 private:
  static int64_t parts(int64_t pixels, int64_t side) { return (pixels + side - 1) / side; }
};

/// Makes a grid of these cells, with patches of so many of them.
void set_cells(TokenGrid& grid, std::shared_ptr<const Cells> cells, int64_t cells_of_patch);

/// Of cells: where the middles of the patches lie along an axis, by place, in radians: eastwards from 0 to 2 pi
/// (columns), northwards from the south pole, 0 to pi (rows).
std::vector<double> patch_angles(const TokenGrid& grid, GridAxis axis);

/// Whether no side of the patch is larger than the grid.
bool fits(const Patch& patch, const TokenGrid& grid);

/// "32 x 64", on a volume "16 x 32 x 64", "40320 cells".
std::string size_in_words(const TokenGrid& grid);

}  // namespace graticule

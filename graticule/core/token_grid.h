// How tokens are numbered: which piece of which field a token is. This is the only place that numbers tokens.
// The data room reads fields by it, and the model embeds tokens by it.
//
// A *patch* is a square of p x p pixels. A field of Y rows and X columns is cut into patches, and the patches
// are numbered row by row. When p does not divide Y or X, the patches at the north and east edges are
// smaller; their missing pixels are zeros with loss weight 0. No token is padding. The token modes
// (core/choices.h):
//
//   full                  one token for each variable and patch, all patches of a variable together:
//                         token = (variable * patch_rows + row) * patch_columns + column
//   aggregated, channels  one token for each patch, which carries every variable:
//                         token = row * patch_columns + column
#pragma once

#include <cstdint>

#include "graticule/core/choices.h"
#include "graticule/core/span.h"

namespace graticule {

struct TokenGrid {
  TokenMode mode = TokenMode::full;
  int64_t variables = 1;  ///< V, input variables
  int64_t rows = 1;       ///< Y, latitudes, south to north
  int64_t columns = 1;    ///< X, longitudes, eastwards
  int64_t patch = 1;      ///< p, pixels along one side
  int64_t states = 1;     ///< N, states that the model reads: the present one and earlier ones

  int64_t patch_rows() const { return (rows + patch - 1) / patch; }
  int64_t patch_columns() const { return (columns + patch - 1) / patch; }
  /// The number of patches of one field.
  int64_t places() const { return patch_rows() * patch_columns(); }
  /// S, the length of the whole sequence.
  int64_t tokens() const { return mode == TokenMode::full ? variables * places() : places(); }
  /// K, how many variables one token carries.
  int64_t variables_per_token() const { return mode == TokenMode::full ? 1 : variables; }
  /// P, the pixels of one patch.
  int64_t pixels() const { return patch * patch; }
  /// I = N P, the input values of one variable of a token: the pixels at the initial time, then at the times
  /// before it, the latest first.
  int64_t inputs() const { return states * pixels(); }

  /// A token's variable and patch.
  struct Place {
    int64_t variable, patch_row, patch_column;  ///< variable is 0 when a token carries all variables
  };
  /// The place of global token `token` in [0, tokens()).
  Place locate(int64_t token) const;

  /// The range of variables that the tokens of `span` carry.
  Span variables_of(const Span& span) const;
  /// The tokens of `span` that carry `variable`, as a range of global tokens. It is all of `span` in the
  /// modes `aggregated` and `channels`.
  Span tokens_of(const Span& span, int64_t variable) const;
};

}  // namespace graticule

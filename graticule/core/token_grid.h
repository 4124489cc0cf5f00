// Which piece of which field a token is. The one place that numbers tokens; data reads by it, model embeds by
// it.
//
// A field of Y rows and X columns is cut into patches of p x p pixels, row-major; a grid that p does not
// divide has smaller patches at its north and east edges, whose missing pixels are zeros of weight 0 (no
// token is padding).
//   full                  one token a variable and patch, variable-major:
//                         token = (variable * patch_rows + row) * patch_columns + column
//   aggregated, channels  one token a patch, which carries every variable:
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

  int64_t patch_rows() const { return (rows + patch - 1) / patch; }
  int64_t patch_columns() const { return (columns + patch - 1) / patch; }
  int64_t places() const { return patch_rows() * patch_columns(); }
  /// S, the length of the whole sequence.
  int64_t tokens() const { return mode == TokenMode::full ? variables * places() : places(); }
  /// K, how many variables one token carries.
  int64_t variables_per_token() const { return mode == TokenMode::full ? 1 : variables; }
  int64_t pixels() const { return patch * patch; }

  struct Place {
    int64_t variable, patch_row, patch_column;  ///< variable is 0 where a token carries all
  };
  Place locate(int64_t token) const;

  /// The variables that tokens of `span` carry.
  Span variables_of(const Span& span) const;
  /// Of the tokens `span`, those that belong to `variable`, as a range of global tokens (all of `span` where
  /// a token carries every variable).
  Span tokens_of(const Span& span, int64_t variable) const;
};

}  // namespace graticule

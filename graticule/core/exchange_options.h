// How attention exchanges its tensors. A part of a recipe's [parallel], which the schemes read as it is.
#pragma once

#include <cstdint>

#include "graticule/core/choices.h"

namespace graticule {

struct ExchangeOptions {
  ContextMethod context_method = ContextMethod::lss;
  /// Splits the heads into this many groups, at most a rank's key/value heads. The exchange of one group runs
  /// while another one attends. Used by ulysses; with an activation policy other than keep by every scheme.
  int64_t head_groups = 1;
  /// mesh: rows of the grid of context ranks (core/context_grid.h); 0: chosen by counting bytes.
  int64_t mesh_rows = 0;
  /// lss, mesh: key/value heads gathered at a time, in two buffers; 0: all.
  int64_t gather_heads = 0;
  /// ulysses: keep q, k, v and out by heads for the backward. false: keep them by tokens only, and exchange
  /// them again in the backward.
  bool keep_exchanged = true;
};

}  // namespace graticule

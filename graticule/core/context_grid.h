// How the ranks of the context axis share the work of attention: over a grid. Rank i b + j of a grid a x b
// stands in row i and column j. The a ranks of its column are its *query group*: they gather their queries.
// The b ranks of its row are its *key group*: they gather their keys and values. A rank attends with the
// queries of its column over the keys of its row, so each pair of two ranks meets on exactly one rank.
//
// In a *line* one of the two groups is the rank alone. With queries = 1 every rank keeps its queries, and keys
// travel; with keys = 1 it is the other way round.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "graticule/core/exchange_options.h"

namespace graticule {

/// The sizes of the two groups; their product is the number of context ranks.
struct ContextGrid {
  int64_t queries = 1, keys = 1;

  bool is_line() const { return queries == 1 || keys == 1; }
  bool operator==(const ContextGrid&) const = default;
};

/// The context ranks of the column and of the row of rank `place`: its query group and its key group.
std::vector<int> column_of(const ContextGrid& grid, int64_t place);
std::vector<int> row_of(const ContextGrid& grid, int64_t place);

/// "mesh 2 x 3"; of a line "mesh 5 x 1 (a line)".
std::string described(const ContextGrid& grid);

/// The grids of the two passes.
struct ContextGrids {
  ContextGrid forward, backward;
};

/// The heads of a call on one rank, their width, and the bytes of one number.
struct ContextHeads {
  int64_t queries, keys, width, element;
};

/// What a rank sends to each other rank of its group, in bytes a token. `there`: its own tokens. `back`: the
/// results for the other's tokens, always fp32.
struct SideBytes {
  int64_t there, back;
};
struct PassBytes {
  SideBytes queries, keys;
};

/// Forward: q; out and its log-sum-exp return. k and v.
PassBytes forward_bytes(const ContextHeads& heads);
/// Backward: q, dout, log-sum-exp and delta (kernel/flash.h); dq returns. k and v; dk and dv return.
PassBytes backward_bytes(const ContextHeads& heads);

/// The grids of a context method over `ranks` ranks. `lss` and `ring`: forward, keys travel; backward, keys or
/// queries, whichever are fewer bytes. `mesh`: one grid for both, of exchange.mesh_rows rows, or of those that
/// make the fewest bytes. Precondition: trouble_with_rows is empty.
ContextGrids context_grids(const ExchangeOptions& exchange, int64_t ranks, const ContextHeads& heads);

/// Why a mesh cannot have exchange.mesh_rows rows, with what would work; nothing when it can.
std::optional<std::string> trouble_with_rows(const ExchangeOptions& exchange, int64_t ranks);

}  // namespace graticule

#include "graticule/core/context_grid.h"

#include "graticule/core/error.h"

namespace graticule {

namespace {

// Bytes that a rank sends for each of its tokens if all ranks have equally many.
int64_t bytes_of(const ContextGrid& grid, const PassBytes& pass) {
  return (grid.queries - 1) * (pass.queries.there + pass.queries.back) +
         (grid.keys - 1) * (pass.keys.there + pass.keys.back);
}

// Sums that travel around a ring take one step more than the blocks that they follow.
int64_t ring_bytes(int64_t ranks, const SideBytes& side) {
  return (ranks - 1) * side.there + ranks * side.back;
}

ContextGrid cheapest_mesh(int64_t ranks, const ContextHeads& heads) {
  const auto bytes = [&](const ContextGrid& grid) {
    return bytes_of(grid, forward_bytes(heads)) + bytes_of(grid, backward_bytes(heads));
  };
  ContextGrid best{1, ranks};
  for (int64_t rows = 2; rows <= ranks; ++rows) {
    const ContextGrid grid{rows, ranks / rows};
    if (ranks % rows == 0 && bytes(grid) < bytes(best)) best = grid;
  }
  return best;
}

}  // namespace

std::vector<int> column_of(const ContextGrid& grid, int64_t place) {
  std::vector<int> ranks;
  for (int64_t i = 0; i < grid.queries; ++i)
    ranks.push_back(static_cast<int>(i * grid.keys + place % grid.keys));
  return ranks;
}

std::vector<int> row_of(const ContextGrid& grid, int64_t place) {
  std::vector<int> ranks;
  for (int64_t j = 0; j < grid.keys; ++j)
    ranks.push_back(static_cast<int>(place / grid.keys * grid.keys + j));
  return ranks;
}

std::string described(const ContextGrid& grid) {
  return text("mesh ", grid.queries, " x ", grid.keys, grid.is_line() ? " (a line)" : "");
}

PassBytes forward_bytes(const ContextHeads& x) {
  return {{x.queries * x.width * x.element, x.queries * (x.width + 1) * fp32_bytes},
          {2 * x.keys * x.width * x.element, 0}};
}

PassBytes backward_bytes(const ContextHeads& x) {
  return {{2 * x.queries * (x.width * x.element + fp32_bytes), x.queries * x.width * fp32_bytes},
          {2 * x.keys * x.width * x.element, 2 * x.keys * x.width * fp32_bytes}};
}

ContextGrids context_grids(const ExchangeOptions& exchange, int64_t ranks, const ContextHeads& heads) {
  if (ranks == 1) return {};
  const ContextGrid keys{1, ranks}, queries{ranks, 1};
  const PassBytes backward = backward_bytes(heads);
  switch (exchange.context_method) {
    case ContextMethod::lss:
      return {keys, bytes_of(queries, backward) < bytes_of(keys, backward) ? queries : keys};
    case ContextMethod::ring:
      return {keys, ring_bytes(ranks, backward.queries) < ring_bytes(ranks, backward.keys) ? queries : keys};
    case ContextMethod::mesh:
      break;
  }
  const int64_t rows = exchange.mesh_rows;
  const ContextGrid grid = rows > 0 ? ContextGrid{rows, ranks / rows} : cheapest_mesh(ranks, heads);
  return {grid, grid};
}

std::optional<std::string> trouble_with_rows(const ExchangeOptions& exchange, int64_t ranks) {
  const int64_t rows = exchange.mesh_rows;
  const bool is_mesh = exchange.context_method == ContextMethod::mesh && ranks > 1;
  if (!is_mesh || rows == 0 || ranks % rows == 0) return std::nullopt;
  std::string divisors;
  for (int64_t n = 1; n <= ranks; ++n) {
    if (ranks % n == 0) divisors += text(n == 1 ? "" : ", ", n);
  }
  return text("mesh_rows = ", rows, " over context = ", ranks, " ranks: choose a divisor of ", ranks, " (",
              divisors, "), or leave it out to have it chosen");
}

}  // namespace graticule

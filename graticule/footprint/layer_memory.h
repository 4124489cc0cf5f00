// What linear layers and norms hold, in sizes: kernel/linear and parallel/tensor without tensors.
//
// Legend: b samples, t this rank's tokens, T those of its tensor group (P ranks), C width, D head width, e
// bytes an element.
#pragma once

#include "graticule/footprint/footprint.h"
#include "graticule/kernel/flash_tiles.h"
#include "graticule/recipe/share.h"

namespace graticule {

/// What the CPU's kernels allocate for themselves; a GPU's have nothing that is booked.
struct Scratch {
  int64_t threads = 0;                ///< that the CPU computes with; 0: a GPU
  const FlashTiles* tiles = nullptr;  ///< that attention's kernel packs for; nothing: it packs none
  bool packs_products = false;        ///< linear layers pack their operands (kernel/matrix_product)
};

/// What all formulas read: some samples on a rank, all its tokens or a tile of them.
struct PassSizes {
  const Options& options;
  const ModelShape& shape;
  const Axes& axes;
  const RankShare& share;
  Scratch scratch;
  int64_t b, t, T;
  bool defers = false;  ///< weight gradients are left for later

  int64_t e() const { return share.element; }
  int64_t C() const { return shape.dim; }
  /// Bytes of [b, t, width] and of [b, T, width].
  int64_t mine(int64_t width) const { return b * t * width * share.element; }
  int64_t group(int64_t width) const { return b * T * width * share.element; }
  /// A layer's input or its output's gradient waits for weight gradients that are deferred; else it goes.
  int64_t waits(int64_t bytes) const { return defers ? bytes : 0; }
  int64_t done(int64_t bytes) const { return bytes - waits(bytes); }
};

/// A linear layer: how the tensor axis cuts it (of one rank both are a plain layer), its widths on this rank,
/// and whether the side that the axis cuts lies samples first: then the wire, which wants tokens first, takes
/// a copy.
struct Layer {
  enum class Cut { column, row } cut;
  int64_t in, out;
  bool samples_first;
};

/// [rows, inner] x [inner, columns]; leaves the result.
Footprint product_memory(const PassSizes& sizes, Account account, int64_t rows, int64_t inner,
                         int64_t columns);
/// Leaves the output: [b, T, out] of a column, [b, t, out] of a row.
Footprint linear_forward(const PassSizes& sizes, const Layer& layer);
/// Leaves the input's gradient and the weights'. Deferred, these wait: what they need of the output's
/// gradient stays.
Footprint linear_backward(const PassSizes& sizes, const Layer& layer);
/// The weights' gradients alone, later.
Footprint linear_weights(const PassSizes& sizes, const Layer& layer);
/// What a deferred one holds till then: the layer's input, and its output's gradient.
int64_t linear_deferred(const PassSizes& sizes, const Layer& layer);
/// The same of a layer that no axis cuts, over `rows` rows; nothing is deferred. `for_input` false: the
/// weights' alone. `copy`: bytes of an input that has to be laid out row by row for them.
Footprint plain_forward(const PassSizes& sizes, int64_t rows, int64_t in, int64_t out);
Footprint plain_backward(const PassSizes& sizes, int64_t rows, int64_t in, int64_t out, bool for_input = true,
                         int64_t copy = 0);

}  // namespace graticule

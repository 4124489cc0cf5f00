// The bytes that linear layers allocate on a rank, and the sizes that all formulas of this folder read. The
// formulas follow kernel/linear and parallel/tensor allocation by allocation.
//
// A weight gradient is *deferred* if backward leaves it for later (schedule `zero_bubble`). Until then the
// layer's input and the gradient of its output stay.
//
// Legend: b samples, t this rank's tokens, T the tokens of its tensor group (P ranks), C width, D head width,
//         e bytes an element.
#pragma once

#include "graticule/footprint/footprint.h"
#include "graticule/kernel/flash_tiles.h"
#include "graticule/recipe/share.h"

namespace graticule {

/// Decides what scratch the CPU's kernels allocate. A GPU's kernels have no scratch that the ledger books.
struct Scratch {
  int64_t threads = 0;                ///< threads that the CPU computes with; 0: a GPU
  const FlashTiles* tiles = nullptr;  ///< tiles that the attention kernel packs for; null: ATen's kernel runs
  int64_t block_terms = 0;            ///< as CpuKernels
};

/// The sizes that all formulas read: b samples on a rank, with all its tokens or a tile of them.
struct PassSizes {
  const Options& options;
  const ModelShape& shape;
  const Axes& axes;
  const RankShare& share;
  Scratch scratch;
  int64_t b, t, T;
  bool defers = false;  ///< weight gradients are deferred

  /// Whether these are the visible tokens of a masked sequence.
  bool masked() const { return shape.visible_tokens() < shape.grid.tokens(); }

  int64_t e() const { return share.element; }
  int64_t C() const { return shape.dim; }
  /// Bytes of a tensor [b, t, width] (this rank) and of one [b, T, width] (its tensor group).
  int64_t mine(int64_t width) const { return b * t * width * share.element; }
  int64_t group(int64_t width) const { return b * T * width * share.element; }
  /// Of a tensor that the weight gradients need, `bytes` long: the bytes that stay because these are
  /// deferred, and the bytes that are freed now. One of the two is 0.
  int64_t waits(int64_t bytes) const { return defers ? bytes : 0; }
  int64_t done(int64_t bytes) const { return bytes - waits(bytes); }
};

/// A linear layer. `cut`: how the tensor axis cuts the weights; a degree of 1 makes both a plain layer.
struct Layer {
  enum class Cut { column, row } cut;
  int64_t in, out;     ///< widths on this rank
  bool samples_first;  ///< the side that is cut is [b, T, ..]; an exchange needs [T, b, ..] and copies it
};

/// Which operand of a product is a transposed view: W in y = x W^T, neither in dx = dy W, dy in dW = dy^T x.
enum class Turned { left, neither, right };

/// The product [rows, inner] x [inner, columns]. Leaves the result.
Footprint product_memory(const PassSizes& sizes, Account account, int64_t rows, int64_t inner,
                         int64_t columns, Turned turned);
/// Leaves the output: [b, T, out] of a column layer, [b, t, out] of a row layer.
Footprint linear_forward(const PassSizes& sizes, const Layer& layer);
/// Leaves the gradients of the input and of the weights. If sizes.defers: leaves the gradient of the input
/// and, for a row layer cut over several ranks, the gathered gradient of the output.
Footprint linear_backward(const PassSizes& sizes, const Layer& layer);
/// Leaves the gradients of the weights: the part of backward that can be deferred.
Footprint linear_weights(const PassSizes& sizes, const Layer& layer);
/// The bytes that a deferred weight gradient waits with: the layer's input and the gradient of its output.
int64_t linear_deferred(const PassSizes& sizes, const Layer& layer);
/// Forward and backward of a layer that no axis cuts, over `rows` rows; nothing is deferred. for_input =
/// false: only the gradients of the weights. `copy`: bytes of the input if it must be copied to be contiguous
/// by rows.
Footprint plain_forward(const PassSizes& sizes, int64_t rows, int64_t in, int64_t out);
Footprint plain_backward(const PassSizes& sizes, int64_t rows, int64_t in, int64_t out, bool for_input = true,
                         int64_t copy = 0);

}  // namespace graticule

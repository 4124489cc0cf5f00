// Work that treats each token alone, run on one tile of tokens at a time. The forward runs tile by tile, and
// the backward runs each tile again, so that wide intermediates exist for one tile only. Weight gradients are
// summed over tiles in fp32. The lean pairs of tokenizer, blocks and head use it.
//
// Legend: B batch, t this rank's tokens, T the tokens of its tensor group (t without a group).
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "graticule/parallel/chain.h"
#include "graticule/parallel/tensor.h"

namespace graticule {

/// Tokens cut into tiles. All ranks of a tensor group have the same number of tiles, because their layers are
/// collective; some tiles may be empty. The T tokens of the group are ordered by tile, and by rank within a
/// tile.
struct Tiling {
  std::vector<Span> mine;   ///< each tile's range of this rank's t tokens
  std::vector<Span> group;  ///< each tile's range of the group's T tokens
  /// The tokens of each tile, rank by rank: ranges counted from the group's first token, in the order of the
  /// sequence.
  std::vector<std::vector<Span>> tokens;
  std::vector<TensorLayers> layers;  ///< each tile's
  size_t size() const { return mine.size(); }
};

/// Tiles of at most `tile_tokens` of this rank's `tokens`. tile_tokens is 1 or more and need not divide
/// anything.
Tiling tiles_of(const TensorLayers& layers, int64_t tokens, int64_t tile_tokens);

/// The gradients of a block's weights, summed over tiles. The first is kept as it is; from the second on the
/// sum is fp32.
class GradientSums {
 public:
  void add(const std::string& name, const at::Tensor& gradient);
  /// Adds the gradient of some rows (dim 0) of a weight shaped as `whole`.
  void add_rows(const std::string& name, const at::Tensor& whole, const std::vector<Span>& rows,
                const at::Tensor& gradient);
  /// Adds the sums to the gradients of the leaves, in the leaves' dtype, and removes them from here.
  void deliver(const Weights& leaves);

 private:
  std::map<std::string, at::Tensor> sums_;
};

/// Inputs [B, tokens of a tile, ...] -> output [B, tokens of a tile, ...]. `tile` is the number of the tile.
using TileFunction =
    std::function<at::Tensor(const Weights& weights, const std::vector<at::Tensor>& inputs, size_t tile)>;

/// A tensor that is cut into tiles along dim 1.
struct TiledTensor {
  at::Tensor values;
  const std::vector<Span>& spans;
  at::Tensor tile(size_t i) const { return values.narrow(1, spans[i].begin, spans[i].size()); }
};

/// An input of tiled_backward. Its gradient is written to `gradient`, which is shaped as `values`; undefined:
/// no gradient is wanted.
struct TiledInput {
  TiledTensor input;
  at::Tensor gradient = {};
  bool add = false;  ///< add to `gradient` instead of writing over it
};

/// Runs the function over all tiles; autograd records nothing. `spans`: the tiles of the output. Returns the
/// whole output.
at::Tensor tiled_forward(const TileFunction& function, const Weights& weights,
                         const std::vector<TiledTensor>& inputs, const std::vector<Span>& spans);

/// The derivative of tiled_forward: runs each tile again. It calls `take` with the name and gradient of each
/// weight, tile by tile. The gradient of an input may be written over `dy`, tile for tile.
void tiled_backward(const TileFunction& function, const Weights& weights,
                    const std::vector<TiledInput>& inputs, const TiledTensor& dy,
                    const std::function<void(const std::string&, const at::Tensor&)>& take);

/// [B, t, ...] -> [B, t, ...], each token alone. `tokens`: the range of tokens in x, counted from this rank's
/// first.
using TokenFunction = std::function<at::Tensor(const Weights& weights, const at::Tensor& x,
                                               const Inputs& inputs, const Span& tokens)>;

/// A block that is one such function of this rank's tokens, with its lean pair. Not collective.
Block token_block(std::string name, std::vector<Parameter> parameters, const TokenFunction& function,
                  int64_t tile_tokens);

}  // namespace graticule

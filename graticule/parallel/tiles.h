// Point-wise work over tiles of tokens: what treats each token alone runs a tile at a time, forward, and
// again in its own backward, so that nothing wider than a tile's intermediates ever exists. Weight gradients
// are summed over tiles in fp32.
//
// Legend: B batch, t this rank's tokens, T the tokens of its tensor group (t when there is none).
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "graticule/parallel/chain.h"
#include "graticule/parallel/tensor.h"

namespace graticule {

/// Tokens cut into tiles. A tensor group has as many tiles on every rank, whatever its tokens, because their
/// layers talk; some may be empty. Its T tokens lie tile by tile, and by rank within a tile.
struct Tiling {
  std::vector<Span> mine;            ///< of this rank's t tokens
  std::vector<Span> group;           ///< of the group's T tokens
  std::vector<TensorLayers> layers;  ///< a tile's
  size_t size() const { return mine.size(); }
};

/// Tiles of at most `tile_tokens` of this rank's `tokens`; any number from 1, no divisor needed.
Tiling tiles_of(const TensorLayers& layers, int64_t tokens, int64_t tile_tokens);

/// Gradients of a block's weights, summed over tiles: the first as it comes, from the second on in fp32.
class GradientSums {
 public:
  void add(const std::string& name, const at::Tensor& gradient);
  /// The gradient of some rows (dim 0) of a weight like `whole`.
  void add_rows(const std::string& name, const at::Tensor& whole, const std::vector<Span>& rows,
                const at::Tensor& gradient);
  /// Adds the sums to the gradients of the leaves, in their dtype; they are gone from here.
  void deliver(const Weights& leaves);

 private:
  std::map<std::string, at::Tensor> sums_;
};

/// [B, tokens of a tile, ...] of each input -> the same of the output. With `tile` it finds what else it
/// needs.
using TileFunction =
    std::function<at::Tensor(const Weights& weights, const std::vector<at::Tensor>& inputs, size_t tile)>;

/// A tensor that is cut along dim 1.
struct TiledTensor {
  at::Tensor values;
  const std::vector<Span>& spans;
  at::Tensor tile(size_t i) const { return values.narrow(1, spans[i].begin, spans[i].size()); }
};

/// An input of tiled_backward: its gradient goes to `gradient` (undefined: not wanted), which is like
/// `values`.
struct TiledInput {
  TiledTensor input;
  at::Tensor gradient = {};
  bool add = false;  ///< to what `gradient` holds
};

/// The function over all tiles, nothing recorded. `spans`: where the output's tiles lie.
at::Tensor tiled_forward(const TileFunction& function, const Weights& weights,
                         const std::vector<TiledTensor>& inputs, const std::vector<Span>& spans);

/// Its derivative: runs each tile again. `take` gets each weight's gradient, tile by tile. An input's
/// gradient may be written over `dy`, tile for tile.
void tiled_backward(const TileFunction& function, const Weights& weights,
                    const std::vector<TiledInput>& inputs, const TiledTensor& dy,
                    const std::function<void(const std::string&, const at::Tensor&)>& take);

/// [B, t, ...] -> [B, t, ...], each token alone: `tokens` are the ones of x, counted from this rank's first.
using TokenFunction = std::function<at::Tensor(const Weights& weights, const at::Tensor& x,
                                               const Inputs& inputs, const Span& tokens)>;

/// A block that is one such function of this rank's tokens.
Block token_block(std::string name, std::vector<Parameter> parameters, const TokenFunction& function,
                  int64_t tile_tokens);

}  // namespace graticule

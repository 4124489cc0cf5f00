// The sizes of the model, and the parameters and FLOPs that follow from them. No tensors, no groups. The
// program and the planner use the same functions, so they cannot disagree.
#pragma once

#include <cstdint>
#include <string>

#include "graticule/core/token_grid.h"

namespace graticule {

/// The numbers that tell the hour of the day and the day of the year: cosine and sine of each.
inline constexpr int64_t calendar_features = 4;

/// The sizes of the transformer, which a recipe gives as they are.
struct TransformerShape {
  int64_t dim = 64;         ///< C, width of a token
  int64_t depth = 2;        ///< transformer blocks
  int64_t heads = 4;        ///< H
  int64_t kv_heads = 0;     ///< G, key/value heads; 0: as many as heads
  double mlp_ratio = 4;     ///< hidden width of the MLP over C
  bool qk_norm = false;     ///< normalise each head's queries and keys
  int64_t head_layers = 0;  ///< hidden layers (Linear, GELU) of the prediction head before its projection
  double drop_path = 0;     ///< rate of the last block; it grows linearly from 0 at the first block
  bool calendar = false;    ///< tokens know the hour of the day and the day of the year
  double init_std = 0.02;   ///< deviation of the initial weights of blocks and head
  double lead_std = 0.02;   ///< deviation of the initial weight of the lead time

  int64_t head_dim() const { return dim / heads; }
  int64_t key_heads() const { return kv_heads > 0 ? kv_heads : heads; }
  int64_t hidden() const { return static_cast<int64_t>(static_cast<double>(dim) * mlp_ratio); }
};

/// The sizes of a model for one grid.
struct ModelShape : TransformerShape {
  TokenGrid grid;  ///< token mode, variables, rows, columns, patch
};

/// Refuses sizes that make no model, such as a width that is no multiple of the heads or a head wider than
/// 256.
void validate(const ModelShape& shape);

/// Numbers of parameters: of the tokenizer, of one block, of the prediction head, and of the whole model.
int64_t tokenizer_parameters(const ModelShape& shape);
int64_t block_parameters(const ModelShape& shape);
int64_t head_parameters(const ModelShape& shape);
int64_t parameters(const ModelShape& shape);

/// The number of groups in which a lean block (model/lean_block.h) takes its heads, when the recipe asks for
/// `wished`. It is the same on every rank of the tensor axis, and each group has a key head on every rank. It
/// is 1 when some rank has no key head.
int64_t head_group_count(const ModelShape& shape, int64_t wished, int64_t tensor_ranks);

/// Floating-point operations of one sample's forward, summed over all ranks; a multiply and an add are two.
/// The blocks' linear layers: depth (4 C^2 (1 + G/H) + 4 C hidden) S. Attention: depth 4 S^2 C. Norms and
/// activation functions are left out. C width, H heads, G key/value heads, S tokens.
struct Flops {
  double tokenizer = 0, linear = 0, attention = 0, head = 0;
  double forward() const { return tokenizer + linear + attention + head; }
  /// Forward and backward. Each linear product has two more in the backward (3 times). Attention has two
  /// products in the forward and five in the backward (3.5 times).
  double step() const { return 3 * (tokenizer + linear + head) + 3.5 * attention; }
};
/// The FLOPs of one sample, by part of the model.
Flops flops(const ModelShape& shape);

}  // namespace graticule

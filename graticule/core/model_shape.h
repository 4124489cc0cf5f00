// The model's sizes and what follows from them by counting: parameters, FLOPs. No tensors, no groups; the
// planner and the program share it, so they cannot disagree.
#pragma once

#include <cstdint>
#include <string>

#include "graticule/core/token_grid.h"

namespace graticule {

struct ModelShape {
  TokenGrid grid;           ///< token mode, variables, rows, columns, patch
  int64_t dim = 64;         ///< C, width of a token
  int64_t depth = 2;        ///< transformer blocks
  int64_t heads = 4;        ///< H
  int64_t kv_heads = 0;     ///< G, key/value heads; 0: as many as heads
  double mlp_ratio = 4;     ///< hidden width of the MLP over C
  bool qk_norm = false;     ///< normalise each head's queries and keys
  int64_t head_layers = 0;  ///< hidden layers (Linear, GELU) before the last projection
  double drop_path = 0;     ///< of the last block; grows linearly from 0 at the first

  int64_t head_dim() const { return dim / heads; }
  int64_t key_heads() const { return kv_heads > 0 ? kv_heads : heads; }
  int64_t hidden() const { return static_cast<int64_t>(static_cast<double>(dim) * mlp_ratio); }
};

/// Refuses sizes that make no model: width not a multiple of the heads, head width above 256, ...
void validate(const ModelShape& shape);

/// Parameters of each part and of the whole.
int64_t tokenizer_parameters(const ModelShape& shape);
int64_t block_parameters(const ModelShape& shape);
int64_t head_parameters(const ModelShape& shape);
int64_t parameters(const ModelShape& shape);

/// Groups that a lean block takes its heads in when `wished` are: as many on every rank of the tensor axis,
/// each with a key head there (one group where some rank has none).
int64_t head_group_count(const ModelShape& shape, int64_t wished, int64_t tensor_ranks);

/// Floating-point operations (a multiply and an add are two) of one sample's forward pass, over all ranks.
/// Blocks: (4 C^2 (1 + G/H) + 4 C hidden) S linear, 4 S^2 C attention, each times depth; norms and
/// activations left out.
struct Flops {
  double tokenizer = 0, linear = 0, attention = 0, head = 0;
  double forward() const { return tokenizer + linear + attention + head; }
  /// Forward and backward: each product has two more in backward; attention has five products backward
  /// against two forward.
  double step() const { return 3 * (tokenizer + linear + head) + 3.5 * attention; }
};
Flops flops(const ModelShape& shape);

}  // namespace graticule

// The sizes of the model, and the parameters and FLOPs that follow from them. No tensors, no groups. The
// program and the planner use the same functions, so they cannot disagree.
#pragma once

#include <cstdint>
#include <string>

#include "graticule/core/choices.h"
#include "graticule/core/place_waves.h"
#include "graticule/core/token_grid.h"

namespace graticule {

/// The numbers that tell the hour of the day and the day of the year: cosine and sine of each.
inline constexpr int64_t calendar_features = 4;

/// The sizes of the transformer, which a recipe gives as they are.
struct TransformerShape {
  int64_t dim = 64;      ///< C, width of a token
  int64_t depth = 2;     ///< transformer blocks
  int64_t heads = 4;     ///< H
  int64_t kv_heads = 0;  ///< G, key/value heads; 0: as many as heads
  double mlp_ratio = 4;  ///< hidden width of the MLP over C
  PlaceForm place = PlaceForm::added;
  QkNorm qk_norm = QkNorm::none;
  bool qk_variables = false;  ///< queries and keys have embeddings of their token's variable
  int64_t head_layers = 0;    ///< hidden layers (Linear, GELU) of the prediction head before its projection
  double drop_path = 0;       ///< rate of the last block; it grows linearly from 0 at the first block
  bool add_merged = false;    ///< tokens know the other variables of their place (model/place_sums.h)
  bool calendar = false;      ///< tokens know the hour of the day and the day of the year
  double init_std = 0.02;     ///< deviation of the initial weights of blocks and head
  double lead_std = 0.02;     ///< deviation of the initial weight of the lead time

  int64_t head_dim() const { return dim / heads; }
  int64_t key_heads() const { return kv_heads > 0 ? kv_heads : heads; }
  int64_t hidden() const { return static_cast<int64_t>(static_cast<double>(dim) * mlp_ratio); }
};

/// Masked autoencoding (He et al., arXiv 2111.06377): the blocks read some tokens, a decoder of its own width gives
/// all of them.
struct MaskedShape {
  double masked = 0;                      ///< the part of the tokens that the blocks do not read
  int64_t dim = 0, depth = 0, heads = 0;  ///< of the decoder; 0: none
};

/// What the first block of a decoder reads in place of fields: so many tokens of this width. 0: the first block is a
/// tokenizer.
struct EntryShape {
  int64_t tokens = 0, dim = 0;
};

/// The sizes of a model for one grid.
struct ModelShape : TransformerShape {
  TokenGrid grid;  ///< token mode, variables, kind and size of the grid, patch
  /// What the head gives for a token: so many outputs of so many values. 0: the pixels of its patch, of each variable
  /// that it carries.
  int64_t head_outputs = 0, head_values = 0;
  MaskedShape decoder;
  EntryShape entry;  ///< of a decoder

  int64_t outputs() const { return head_outputs > 0 ? head_outputs : grid.variables_per_token(); }
  int64_t output_values() const { return head_values > 0 ? head_values : grid.pixels(); }
  bool has_decoder() const { return decoder.depth > 0; }
  /// The tokens that the blocks read: all but the masked ones, at least 1.
  int64_t visible_tokens() const;
  /// The shape of the decoder's blocks: the same grid and form of attention, other sizes.
  ModelShape decoder_shape() const;
  /// The shape of tokenizer and blocks that read the visible tokens, without the decoder.
  ModelShape encoder_shape() const;
  /// All blocks of the chain: tokenizer, transformer blocks, those of a decoder with its entry, head.
  int64_t blocks() const { return depth + 2 + (has_decoder() ? decoder.depth + 1 : 0); }

  /// The waves of place in queries and keys; none with PlaceForm::added.
  PlaceWaves waves() const;
  /// E, the features of a head that are place; 0 unless PlaceForm::aimed.
  int64_t place_features() const { return place == PlaceForm::aimed ? waves().features() : 0; }
  /// K, the other features of a head.
  int64_t content_dim() const { return head_dim() - place_features(); }
  /// The variables that queries and keys tell apart: all with qk_variables, or 1.
  int64_t embedded_variables() const {
    return qk_variables && grid.mode == TokenMode::full ? grid.variables : 1;
  }
  /// Whether there are other variables at a token's place to know.
  bool adds_merged() const { return add_merged && grid.mode == TokenMode::full && grid.variables > 1; }
  /// The rows of the projection to `queries` and `keys` heads of each: keys have no features of place there.
  int64_t projection_rows(int64_t queries, int64_t keys) const {
    return (queries + 2 * keys) * head_dim() - keys * place_features();
  }
  /// Whether queries and keys are more than their projection, at most with a layer norm (model/query_key.h).
  bool shapes_queries() const {
    return place != PlaceForm::added || qk_norm == QkNorm::cosine || embedded_variables() > 1;
  }
  /// The parameters that belong to `queries` and `keys` heads, besides the projection (model/query_key.h).
  int64_t query_key_parameters(int64_t queries, int64_t keys) const;
};

/// Refuses sizes that make no model, such as a width that is no multiple of the heads or a head wider than
/// 256.
void validate(const ModelShape& shape);
/// The same for the decoder of a shape.
void validate_decoder(const ModelShape& shape);

/// Numbers of parameters: of the first block (the tokenizer, or the entry of a decoder), of one transformer block, of
/// the prediction head, and of the whole model.
int64_t tokenizer_parameters(const ModelShape& shape);
int64_t block_parameters(const ModelShape& shape);
int64_t head_parameters(const ModelShape& shape);
int64_t parameters(const ModelShape& shape);

/// The number of groups in which a lean block (model/lean_block.h) takes its heads, when the recipe asks for
/// `wished`. It is the same on every rank of the tensor axis, and each group has a key head on every rank. It
/// is 1 when some rank has no key head.
int64_t head_group_count(const ModelShape& shape, int64_t wished, int64_t tensor_ranks);

/// Floating-point operations of one sample's forward, summed over all ranks; a multiply and an add are two.
/// The blocks' linear layers: depth (2 C (W + C) + 4 C hidden) S. Attention: depth 4 S^2 C. Norms, activation
/// functions and the waves of place are left out. C width, W rows of the projection to queries, keys and
/// values, S tokens; of a masked shape the visible ones, and the decoder's over all.
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

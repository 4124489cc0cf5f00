// The first block of the chain: it turns patches of fields into tokens and adds the embeddings of variable,
// place and lead time.
//
// Legend: B batch, T this rank's tokens, K variables a token carries, V all variables, I input values of a
// variable of a token (the pixels of all states that the model reads, core/token_grid.h), C width.
#pragma once

#include <ATen/core/Tensor.h>

#include "graticule/core/model_shape.h"
#include "graticule/core/span.h"
#include "graticule/model/places.h"
#include "graticule/parallel/chain.h"

namespace graticule {

/// The position embedding, fp32, for any grid. The C / 2 pairs of features are shared out among the axes of the
/// grid: layers (on a volume), rows, columns; with two axes each has C / 4. An axis with c pairs and n patches has
/// c sines, then c cosines, of these angles at its patch i, k = 0 .. c - 1:
///   pi (i + 1/2) / n 2^(8 k / c)    geometric series, from half a wave to 128 waves along the axis
///   2 pi (i + 1/2) / n m_k          on a periodic axis: whole wave numbers m_k = 1 + floor(k n / (2 c)), so
///                                   there is no seam
/// On cells, places have angles of their own in place of pi (i + 1/2) / n and 2 pi (i + 1/2) / n (patch_angles), and n
/// is the number of patches side by side.
WaveTables position_tables(const TokenGrid& grid, int64_t dim);

/// The position embedding of tokens, [T, C] with these options. `span`: their range among the visible ones.
at::Tensor positions_of(const WaveTables& tables, const TokenGrid& grid, const Span& span,
                        const Visible& visible, const at::TensorOptions& options);

/// The tokenizer of the tokens `tokens`: input_BTKI -> x_BTC in the dtype of the weights. Its lean pair works
/// on tiles of `tile_tokens` tokens. With Inputs::visible it gives the visible tokens alone; then use run().
/// `holders`: all ranks that have tokens of a sample; with ModelShape::adds_merged the block is collective over them
/// (model/place_sums.h).
Block tokenizer(const ModelShape& shape, const Span& tokens, const Group& holders = {},
                int64_t tile_tokens = 4096);

}  // namespace graticule

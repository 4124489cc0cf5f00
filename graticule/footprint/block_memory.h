// What a transformer block's forward and backward hold, in sizes: model/{block,branches,lean_block} without
// tensors.
#pragma once

#include "graticule/footprint/layer_memory.h"

namespace graticule {

/// A block's run over one micro-batch. Its input is the caller's, and so are the output's gradient (which a
/// lean block writes over) and what it leaves.
struct BlockMemory {
  Footprint forward = {};   ///< leaves the output and what is kept
  Footprint backward = {};  ///< leaves the input's gradient (if it needs memory of its own) and the weights';
                            ///< what was kept is gone but the output
  int64_t output = 0;       ///< bytes
  int64_t input_gradient = 0;  ///< bytes; 0: written over the output's
  Booked kept = {};            ///< of what forward leaves, what may go away in between: a lean pair's memo
  Footprint weights = {};      ///< weight gradients that were deferred, and what they waited for goes
};

/// A block under the policy keep: all that autograd saves.
BlockMemory kept_block(const PassSizes& sizes);
/// Its lean pair, by tiles of tokens and groups of heads.
BlockMemory lean_block(const PassSizes& sizes, Activations policy);
/// The tokenizer or the head (parallel/tiles: token_block).
BlockMemory tokenizer_block(const PassSizes& sizes, Activations policy);
BlockMemory head_block(const PassSizes& sizes, Activations policy);

}  // namespace graticule

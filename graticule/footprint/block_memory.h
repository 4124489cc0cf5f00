// The bytes that forward and backward of one block allocate on a rank: a transformer block, the tokenizer or
// the head. The formulas follow model/{block,branches,lean_block,tokenizer,head} allocation by allocation.
// step_memory.cpp runs them in the order of a training step.
//
// A *lean* block (activations other than `keep`) keeps its input and recomputes the rest in backward, by
// tiles of tokens and groups of heads. What it keeps besides is its *memo* (parallel/chain.h).
#pragma once

#include "graticule/footprint/layer_memory.h"

namespace graticule {

/// One micro-batch through a block. Not counted: the input and the gradient of the output, which belong to
/// the caller. The caller frees the output.
struct BlockMemory {
  Footprint forward = {};      ///< leaves the output and the tensors kept for backward
  Footprint backward = {};     ///< frees what forward kept, except the output; leaves the gradients of the
                               ///< input (if it has memory of its own) and of the weights
  int64_t output = 0;          ///< bytes
  int64_t input_gradient = 0;  ///< bytes; 0: a lean block writes it over the gradient of the output
  Booked kept = {};            ///< the memo of a lean block: may be offloaded between forward and backward
  Footprint weights = {};      ///< the deferred weight gradients, with the tensors that waited for them freed
};

/// A transformer block under the policy `keep`: autograd saves everything that backward needs.
BlockMemory kept_block(const PassSizes& sizes);
/// A transformer block under another policy.
BlockMemory lean_block(const PassSizes& sizes, Activations policy);
/// The tokenizer and the head (token_block in parallel/tiles); of a masked sequence the tokenizer of its visible
/// tokens (model/masked), which has no tiles.
BlockMemory tokenizer_block(const PassSizes& sizes, Activations policy);
/// The first block of a decoder.
BlockMemory entry_block(const PassSizes& sizes, Activations policy);
BlockMemory head_block(const PassSizes& sizes, Activations policy);

}  // namespace graticule

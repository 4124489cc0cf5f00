// Starts a model with the weights of a safetensors file: one that `graticule export` wrote, or the trunk of
// another program's Vision Transformer (graticule.save_trunk in Python). `graticule train --start-from` uses
// it.
#pragma once

#include <string>

#include "graticule/core/model_shape.h"
#include "graticule/parallel/chain.h"

namespace graticule {

/// Loads the weights that the file has into the chain's owned spans, in fp32. Names, shapes and the metadata
/// "model" are those of docs/model.md. The file has all weights of a transformer block or none of it, and any
/// of the tokenizer and the head. Weights that it lacks keep their values. Of a model that was exported from a run of
/// another task than `task` only tokenizer and transformer blocks are taken, as of that run (Taken::encoder). Refuses a
/// file without weights of this model or of a model of another form, naming all that differs. Fails on a damaged file.
/// Local to the rank.
void read_weights_file(const std::string& path, TaskKind task, const ModelShape& shape, Chain& chain);

/// What a file has, for the user: "26 tensors: blocks.0, blocks.1, head", and what is not taken of it. Fails on a
/// damaged file.
std::string contents_of_weights_file(const std::string& path, TaskKind task);

}  // namespace graticule

// Exports weights for other programs: one safetensors file with one whole tensor for each parameter, the same
// whatever layout trained it. `graticule export` uses it.
#pragma once

#include <string>

#include "graticule/train/build.h"
#include "graticule/train/checkpoint.h"

namespace graticule {

/// Writes a checkpoint's weights to `out`, in fp32: those that are `taken` (saved_weights.h). The whole model
/// must fit into this process's memory. Metadata: "format" ("pt"), "model" (JSON: sizes, token mode, grid,
/// variables, targets, lead_hours, predict) and "statistics" (JSON). docs/model.md says how to rebuild the
/// model. `problem`: the checkpoint's model, on the grid of data that it is to run on.
void export_weights(const CheckpointInfo& info, const Problem& problem, const std::string& out, Taken taken);

}  // namespace graticule

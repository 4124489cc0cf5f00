// Weights for other programs: one safetensors file, one tensor a parameter, the same whatever layout trained
// it.
#pragma once

#include <string>

#include "graticule/train/checkpoint.h"

namespace graticule {

/// Writes `out` from a checkpoint, block by block in memory. Metadata: "model" (JSON: sizes, tokens,
/// variables, targets, predict, lead_hours, grid) and "statistics" (JSON). docs/model.md says how to rebuild
/// the model from it.
void export_weights(const CheckpointInfo& info, const std::string& out);

}  // namespace graticule

// Finds machines that compute wrong numbers without an error (silent corruption): now and then each rank runs
// one block of the model, and another rank runs the same block again (train.verify_every).
#pragma once

#include <functional>

#include "graticule/comm/launch.h"
#include "graticule/train/run.h"

namespace graticule {

/// Runs a transformer block with the weights of a flat buffer on made-up tokens, forward and backward. Returns
/// output and input gradient as one fp32 tensor. Every rank computes the same from the same weights.
using BlockProbe = std::function<at::Tensor(const at::Tensor& weights)>;
BlockProbe probe_of(const Run& run);

/// Compares one transformer block of each rank; `turn` (from 0) chooses which of them.
/// 1. Ranks with copies of the block must have the same bits of its weights in use.
/// 2. Each rank runs the block by `probe` and sends weights and result to the next rank, which runs it again.
///    The largest difference may be 1e-3 (bf16: 5e-2) of the root mean square: rounding on other processors.
/// Fails on all ranks, and names the ranks and hosts that differ. With one rank the block runs twice there.
/// Every stage has a transformer block (recipe/layout). Collective over the world.
void verify_block(Run& run, const World& world, int64_t turn, const BlockProbe& probe);

}  // namespace graticule

// One training step: micro-batches forward and backward, one reduction, one clip, one update. loop.cpp calls
// it; the dry run calls step_on with tensors without data.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "graticule/train/run.h"

namespace graticule {

struct StepResult {
  double loss = 0;           ///< divided by the weight of all ranks
  double gradient_norm = 0;  ///< of that loss, before clipping
  double lr = 0;
  bool stop = false;  ///< some rank asked to stop
  /// Not empty when the loss or the gradient norm is not finite: then nothing was updated. A sentence about
  /// where it came from (bad_step.h).
  std::string bad = {};
  std::string spike = {};  ///< not empty when the loss jumped up (spikes.h): a sentence about it
};

/// Forward, backward and the reduction of gradients with a given batch. `stop`: this rank wants the run to
/// end. Returns squared error, weight, number of ranks that want to stop, and gradient norm, over all ranks
/// (fp64, 4, on the chain's device). It reads nothing back to the host, so it also runs on meta tensors.
/// Collective over the world.
at::Tensor gradients_on(const Batch& batch, Chain& chain, const Mesh& mesh, const Options& options,
                        bool stop);

/// Makes update number `update` (from 1) with the gradients of the chain. `told`: what gradients_on returned.
/// Collective over the ranks that share weights.
void update_on(const at::Tensor& told, Chain& chain, const Options& options, int64_t update);

/// Both, for code that needs no judgement between them. Returns what gradients_on returned.
at::Tensor step_on(const Batch& batch, Chain& chain, const Mesh& mesh, const Options& options, int64_t update,
                   bool stop);

/// Makes a step with the next batch in which some target has a value; other batches are skipped. Fails when a
/// whole epoch has none. When the loss or the gradient is not finite, it updates nothing, leaves run.step as it
/// was, and says so in the result. `stop`: this rank wants the run to end after this step. Collective over the
/// world.
StepResult train_step(Run& run, bool stop);

}  // namespace graticule

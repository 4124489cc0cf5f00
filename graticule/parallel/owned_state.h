// AdamW's state of the weights that a rank owns, and their average, in the device's memory or in a mapped
// file. shard.h uses it.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

namespace graticule {

/// 1-D tensors of one length. `master` and `average` are fp32; the moments are fp32 or bf16.
struct OwnedState {
  at::Tensor master, moment1, moment2;
  at::Tensor average;  ///< undefined unless the weights are averaged (train/average.h)
};

/// A state of `elements` zeros; `moments` is the moments' dtype. `averages`: with an average. With a
/// `folder`, its memory is a mapped file without a name in that folder: the system writes it out and reads it
/// back as it needs memory. The whole file is reserved on the disk, so that a full disk is an error now and
/// not in the middle of a step. Refuses a folder that is missing or cannot be written. `name`: the block, for
/// messages.
OwnedState zero_state(int64_t elements, at::ScalarType moments, bool averages, const at::Device& device,
                      const std::string& folder, const std::string& name);

}  // namespace graticule

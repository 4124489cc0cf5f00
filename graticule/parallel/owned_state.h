// AdamW's state of the weights that a rank owns, in the device's memory or in a mapped file.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

namespace graticule {

/// 1-D, of one length. `master` is fp32, the moments fp32 or bf16.
struct OwnedState {
  at::Tensor master, moment1, moment2;
};

/// A state of zeros. With a `folder` its memory is a file without a name there, mapped: the system writes it
/// out and reads it back as it needs memory. The whole file has its place on the disk, so that a full one is
/// an error now and not in the middle of a step. Refuses a folder that is missing or cannot be written;
/// `name` says in messages whose state it is.
OwnedState zero_state(int64_t elements, at::ScalarType moments, const at::Device& device,
                      const std::string& folder, const std::string& name);

}  // namespace graticule

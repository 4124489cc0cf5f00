// Which tensors the row kernels take.
#pragma once

#include <ATen/core/Tensor.h>

#include "graticule/kernel/row_kernels.h"
#include "graticule/kernel/stand_in.h"

namespace graticule {

/// Whether x is an fp32 or bf16 tensor of a CPU, or a meta tensor that represents one. Others take ATen's
/// kernels.
inline bool has_row_kernels(const at::Tensor& x) {
  return kernels_for(x) && (x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16);
}

inline Element row_element(const at::Tensor& x) {
  return x.scalar_type() == at::kFloat ? Element::fp32 : Element::bf16;
}

}  // namespace graticule

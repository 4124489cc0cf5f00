// The functions of flash.h on CUDA and ROCm, by ATen's kernels. flash.cpp calls them and has checked the
// inputs. Legend: flash.h.
#pragma once

#include <ATen/core/Tensor.h>

#include "graticule/kernel/flash.h"

namespace graticule {

/// The forward: bf16 and fp16 by FlashAttention or cuDNN (grouped heads without a copy), whichever was faster in a
/// trial at the first call (flash_choice.h); fp32 by the memory-efficient kernel (grouped heads are repeated).
/// Widths are padded with zeros to a multiple of 8, which all of them require.
FlashResult flash_gpu_forward(const at::Tensor& q_BTHD, const at::Tensor& k_BSGD, const at::Tensor& v_BSGD,
                              double scale);

/// The backward of the same kernel. A gradient of the log-sum-exp costs a second call (flash_aten.h explains
/// it).
FlashGradients flash_gpu_backward(const at::Tensor& dout_BTHD, const at::Tensor& q_BTHD,
                                  const at::Tensor& k_BSGD, const at::Tensor& v_BSGD,
                                  const at::Tensor& out_BTHD, const at::Tensor& lse_BHT, double scale,
                                  const std::optional<at::Tensor>& dlse_BHT);

}  // namespace graticule

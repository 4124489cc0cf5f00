// The one-rank kernel: exact scaled dot-product attention that never holds a tokens x tokens matrix.
//
//   s_ij = scale * q_i . k_j        p_ij = exp(s_ij - lse_i)        out_i = sum_j p_ij v_j        lse_i = log
//   sum_j exp(s_ij)
//
// Legend: B batch, T query tokens, S key tokens, H query heads, G key/value heads (H % G == 0), D head width.
// Chosen once by device and by what the CPU has; flash_cpu and flash_gpu hold the kernels, reference the
// plain formula.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

namespace graticule {

struct FlashResult {
  at::Tensor out_BTHD;  ///< the dtype of q, or the one asked for
  at::Tensor lse_BHT;   ///< fp32, natural logarithm
};

struct FlashGradients {
  at::Tensor dq_BTHD, dk_BSGD, dv_BSGD;  ///< the dtypes of q, k, v, or the one asked for
};

/// Forward. fp32, bf16 or fp16; any lengths; D from 1 to 256; strides are read as they are. `scale` defaults
/// to 1/sqrt(D). `result` is the dtype of `out`: fp32 for a partial result that is still to be merged.
/// Refuses mismatched shapes, other dtypes and devices without a kernel (std::invalid_argument).
FlashResult flash_forward(const at::Tensor& q_BTHD, const at::Tensor& k_BSGD, const at::Tensor& v_BSGD,
                          std::optional<double> scale = std::nullopt,
                          std::optional<at::ScalarType> result = std::nullopt);

/// Backward (FlashAttention-2, section 3.2): with delta_i = dout_i . out_i - dlse_i and ds_ij = p_ij (dout_i
/// . v_j - delta_i), dq = scale ds k, dk = scale ds^T q, dv = p^T dout. `dlse_BHT` is the gradient that a
/// merge sends to the log-sum-exp. `result` is the dtype of the gradients: fp32 for parts of a sum. With the
/// `out` and `lse` of attention over more keys than `k` and `v` hold, dk and dv are exact and dq is their
/// part of the sum.
FlashGradients flash_backward(const at::Tensor& dout_BTHD, const at::Tensor& q_BTHD, const at::Tensor& k_BSGD,
                              const at::Tensor& v_BSGD, const at::Tensor& out_BTHD, const at::Tensor& lse_BHT,
                              std::optional<double> scale = std::nullopt,
                              const std::optional<at::Tensor>& dlse_BHT = std::nullopt,
                              std::optional<at::ScalarType> result = std::nullopt);

/// Differentiable: joins the two above in one autograd function. The gradient may come through out, lse or
/// both.
FlashResult flash_attention(const at::Tensor& q_BTHD, const at::Tensor& k_BSGD, const at::Tensor& v_BSGD,
                            std::optional<double> scale = std::nullopt);

}  // namespace graticule

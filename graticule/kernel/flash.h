// Exact scaled dot-product attention on one rank, without a matrix of tokens x tokens in memory. The schemes
// (attention/schemes.h) call it, and kernel/operators.cpp offers it to Python.
//
//   s_ij  = scale * q_i . k_j
//   lse_i = log sum_j exp(s_ij)
//   p_ij  = exp(s_ij - lse_i)
//   out_i = sum_j p_ij v_j
//
// The kernel is chosen by the device and by the CPU's instructions: flash_cpu.h, flash_gpu.h and flash_aten.h
// have the kernels, reference.h has the plain formula.
//
// Legend: B batch, T query tokens, S key tokens, H query heads, G key/value heads (H % G == 0), D head width.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <string_view>

namespace graticule {

/// The result of a forward. The log-sum-exp lets results over different keys be merged (merge.h).
struct FlashResult {
  at::Tensor out_BTHD;  ///< in the dtype of q, or the one asked for
  at::Tensor lse_BHT;   ///< fp32, natural logarithm
};

struct FlashGradients {
  at::Tensor dq_BTHD, dk_BSGD, dv_BSGD;  ///< in the dtypes of q, k, v, or the one asked for
};

/// Refuses, with messages of `by`, what the functions below refuse of q, k and v. Here k may be without tokens.
void check_attention_inputs(std::string_view by, const at::Tensor& q_BTHD, const at::Tensor& k_BSGD,
                            const at::Tensor& v_BSGD);

/// The forward. q, k and v are fp32, bf16 or fp16, of any lengths and strides, with D from 1 to 256. `scale`
/// defaults to 1/sqrt(D). `result` is the dtype of `out`: fp32 for a partial result that is merged later.
/// Refuses shapes that do not match, other dtypes, and devices without a kernel (std::invalid_argument).
FlashResult flash_forward(const at::Tensor& q_BTHD, const at::Tensor& k_BSGD, const at::Tensor& v_BSGD,
                          std::optional<double> scale = std::nullopt,
                          std::optional<at::ScalarType> result = std::nullopt);

/// The backward (FlashAttention-2, arXiv 2307.08691, section 3):
///   delta_i = dout_i . out_i - dlse_i
///   ds_ij   = p_ij (dout_i . v_j - delta_i)
///   dq = scale ds k      dk = scale ds^T q      dv = p^T dout
/// `dlse_BHT` is the gradient of the log-sum-exp, which a merge produces. `result` is the dtype of the
/// gradients: fp32 for parts of a sum. `out` and `lse` may come from attention over more keys than `k` and
/// `v` have. Then dk and dv are exact, and dq is the part of its sum that these keys give. Refuses the same
/// as flash_forward.
FlashGradients flash_backward(const at::Tensor& dout_BTHD, const at::Tensor& q_BTHD, const at::Tensor& k_BSGD,
                              const at::Tensor& v_BSGD, const at::Tensor& out_BTHD, const at::Tensor& lse_BHT,
                              std::optional<double> scale = std::nullopt,
                              const std::optional<at::Tensor>& dlse_BHT = std::nullopt,
                              std::optional<at::ScalarType> result = std::nullopt);

/// What the backward needs of `out` where `out` itself is not: delta_i = dout_i . out_i, in fp32.
at::Tensor flash_delta(const at::Tensor& dout_BTHD, const at::Tensor& out_BTHD);

/// The backward with delta in the place of `out`. Our CPU kernels use it as it is. Other kernels take an out
/// with the same delta, which makes delta as exact as an out rounded to q's dtype does.
FlashGradients flash_backward_by_delta(const at::Tensor& dout_BTHD, const at::Tensor& q_BTHD,
                                       const at::Tensor& k_BSGD, const at::Tensor& v_BSGD,
                                       const at::Tensor& delta_BHT, const at::Tensor& lse_BHT,
                                       std::optional<at::ScalarType> result = std::nullopt);

/// flash_forward and flash_backward as one autograd function. Gradients may come through out, lse or both.
FlashResult flash_attention(const at::Tensor& q_BTHD, const at::Tensor& k_BSGD, const at::Tensor& v_BSGD,
                            std::optional<double> scale = std::nullopt);

}  // namespace graticule

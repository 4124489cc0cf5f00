// How queries and keys get their form, forward and backward: on a CPU row by row (query_key_rows.cpp), elsewhere by
// ATen's operators (query_key_operators.cpp). query_key.cpp chooses and records for autograd.
//
// Derivatives, with y = s x i, i = 1 / sqrt(|x|^2 + epsilon) and the upstream gradient dy:
//   dx = s i (dy - y (y dy) / s^2),   d log(s) = y dy
// They need y and i but not x, so attention's own copy of y serves. Turning by angles keeps lengths and products:
// its derivative turns back.
//
// Legend: query_key.h; W = H D + G K + G D, X = H + 2 G.
#pragma once

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <vector>

#include "graticule/model/query_key.h"

namespace graticule {

/// The data of one call.
struct FormCall {
  std::shared_ptr<const QueryKey> query_key;
  std::vector<Span> tokens;
  Visible visible;
  int64_t H, G;

  const ModelShape& shape() const { return query_key->shape; }
  int64_t D() const { return shape().head_dim(); }
  int64_t K() const { return shape().content_dim(); }
  /// Attention divides by sqrt(D); a score that needs no scale is multiplied by it here.
  double root() const { return std::sqrt(static_cast<double>(D())); }
  int64_t V() const { return std::max<int64_t>(1, shape().embedded_variables()); }
  bool cosine() const { return shape().qk_norm == QkNorm::cosine; }
  bool adds_to_queries() const { return adds_to_keys() || form() == PlaceForm::aimed; }
  bool adds_to_keys() const { return V() > 1; }
  PlaceForm form() const { return shape().place; }
  Waves waves(const at::TensorOptions& options) const {
    return waves_at(query_key->tables, shape().grid, tokens, visible, options);
  }
  /// Of the T tokens; one run if all carry all variables.
  std::vector<VariableRun> runs(int64_t T) const {
    if (V() == 1) return {{0, {0, T}}};
    return variable_runs(shape().grid, tokens, visible);
  }
};

constexpr double form_epsilon = 1e-6;

/// What is added to projected queries and keys by the token's variable: [H, V, D] and [G, V, K]; nothing where
/// undefined. And, with cosine, what directions of queries are multiplied by: [H] in fp32.
struct FormWeights {
  at::Tensor of_query_HVD, of_key_GVK, scale_H;
};

/// q | k | v [B, T, X, D] and, with cosine, 1 / lengths of queries and keys [B, T, H] and [B, T, G] in fp32.
struct Formed {
  at::Tensor heads_BTXD, of_q_BTH, of_k_BTG;
};

/// The gradient of the projection and, in fp32, those of FormWeights as far as they are there; that of log(scale).
struct FormGradients {
  at::Tensor projected_BTW, of_query_HVD, of_key_GVK, log_scale_H;
};

/// `formed`: without cosine its tensors may be undefined.
Formed form_by_rows(const FormCall& call, const FormWeights& weights, const at::Tensor& projected_BTW);
FormGradients form_by_rows_backward(const FormCall& call, const at::Tensor& scale_H, const Formed& formed,
                                    const at::Tensor& dheads_BTXD);

Formed form_by_operators(const FormCall& call, const FormWeights& weights, const at::Tensor& projected_BTW);
FormGradients form_by_operators_backward(const FormCall& call, const at::Tensor& scale_H,
                                         const Formed& formed, const at::Tensor& dheads_BTXD);

}  // namespace graticule

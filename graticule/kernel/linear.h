// The linear layer of all blocks: y = x W^T + b, by the fastest product that this processor has.
// parallel/tensor.h cuts it over ranks. Legend: N any leading shape, I input width, O output width.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace graticule {

/// A list of weight gradients to compute later (zero-bubble pipelines, arXiv 2401.10241). Running an entry
/// computes its gradients and adds them to .grad of their leaves. Until then an entry keeps the input and the
/// output gradient of its layer.
class DeferredGradients {
 public:
  void add(std::function<void()> entry) { entries_.push_back(std::move(entry)); }
  /// Runs the entries in the order in which they were added, and frees each when it is done.
  void run();
  bool empty() const { return entries_.empty(); }

 private:
  std::vector<std::function<void()>> entries_;
};

/// Whether a function computes the values of its result. skipped: only derivatives are wanted, so the result
/// has its sizes but no values.
enum class Value { computed, skipped };

/// x [N.., I], weight [O, I], bias [O] or nothing -> [N.., O] in the dtype of x. Differentiable: dx = dy W,
/// dW = dy^T x, db = sum of dy; sums run in fp32 for every dtype. With `deferred` the backward computes only
/// dx and adds dW and db to that list; then weight and bias must be leaves. x, weight and bias have one dtype
/// and device. Refuses shapes or dtypes that do not match (std::invalid_argument).
at::Tensor linear(const at::Tensor& x, const at::Tensor& weight,
                  const std::optional<at::Tensor>& bias = std::nullopt,
                  const std::shared_ptr<DeferredGradients>& deferred = nullptr,
                  Value value = Value::computed);

// The parts of linear, for layers with derivatives of their own (parallel/tensor). Autograd records none of
// them.

/// The product of a [M, K] and b [K, N], plus bias [N] if given: [M, N].
at::Tensor product(const at::Tensor& a_MK, const at::Tensor& b_KN,
                   const std::optional<at::Tensor>& bias_N = std::nullopt);

/// The sum of dy [N, O] over its rows, in fp32, returned in the dtype of dy: [O].
at::Tensor sum_rows(const at::Tensor& dy_NO);

/// The gradients of a layer's weight and bias. A gradient that is not computed is undefined.
struct WeightGradients {
  at::Tensor weight, bias;
};

/// Runs `compute` and returns its result. With `deferred`: puts it into that list instead, to be added to the
/// gradients of the leaves `weight` and `bias` (bias may be undefined), and returns undefined gradients.
WeightGradients now_or_later(const std::shared_ptr<DeferredGradients>& deferred, const at::Tensor& weight,
                             const at::Tensor& bias, std::function<WeightGradients()> compute);

/// Refuses an x [.., I] whose width or dtype does not match weight [O, I], and a bias that is not [O]. With
/// `deferred`, a weight or bias that is no leaf is a bug (std::logic_error).
void validate_linear(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                     const std::shared_ptr<DeferredGradients>& deferred);

}  // namespace graticule

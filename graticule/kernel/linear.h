// The linear layer of every block: y = x W^T + b, by the fastest product this processor has.
// Legend: N any leading shape, I input width, O output width.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace graticule {

/// Weight gradients that a backward left for later (zero-bubble pipelines, arXiv 2401.10241): each entry,
/// when run, computes what it stands for and adds it to its leaves' .grad. An entry holds the input and the
/// output gradient of its layer until then.
class DeferredGradients {
 public:
  void add(std::function<void()> entry) { entries_.push_back(std::move(entry)); }
  /// Runs the entries in the order they were added, and frees each as it ends.
  void run();
  bool empty() const { return entries_.empty(); }

 private:
  std::vector<std::function<void()>> entries_;
};

/// x [N.., I], weight [O, I], bias [O] or nothing -> [N.., O] in the dtype of x. Differentiable:
/// dx = dy W, dW = dy^T x, db = sum of dy; sums run in fp32 whatever the dtype.
/// With `deferred` the backward gives dx alone and leaves dW and db there: weight and bias must be leaves.
/// x, weight and bias share one dtype and device. Refuses mismatched shapes (std::invalid_argument).
/// Value::skipped: only derivatives are wanted, so the result has its sizes and no value.
enum class Value { computed, skipped };
at::Tensor linear(const at::Tensor& x, const at::Tensor& weight,
                  const std::optional<at::Tensor>& bias = std::nullopt,
                  const std::shared_ptr<DeferredGradients>& deferred = nullptr,
                  Value value = Value::computed);

// What linear is made of, for layers that have derivatives of their own (parallel/tensor). None of it is
// recorded by autograd.

/// a [M, K] b [K, N] (+ bias [N]).
at::Tensor product(const at::Tensor& a_MK, const at::Tensor& b_KN,
                   const std::optional<at::Tensor>& bias_N = std::nullopt);

/// The sum of dy [N, O] over its rows, taken in fp32, in the dtype of dy.
at::Tensor sum_rows(const at::Tensor& dy_NO);

/// The gradients of a layer's weight and bias; undefined where there is none.
struct WeightGradients {
  at::Tensor weight, bias;
};

/// Runs `compute` and gives its result. With `deferred`: leaves it there, to be added to the gradients of the
/// leaves `weight` and `bias` (which may be undefined), and gives nothing.
WeightGradients now_or_later(const std::shared_ptr<DeferredGradients>& deferred, const at::Tensor& weight,
                             const at::Tensor& bias, std::function<WeightGradients()> compute);

/// Refuses an x [.., I] whose width or dtype does not fit weight [O, I], or a bias that is not [O]; checks
/// that what is deferred belongs to leaves.
void validate_linear(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                     const std::shared_ptr<DeferredGradients>& deferred);

}  // namespace graticule

#include "graticule/kernel/linear.h"

#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros.h>
#include <ATen/record_function.h>
#include <torch/csrc/autograd/custom_function.h>

#include <utility>

#include "graticule/core/error.h"
#include "graticule/core/ledger.h"
#include "graticule/core/span.h"
#include "graticule/core/trace.h"
#include "graticule/kernel/matrix_product.h"
#include "graticule/kernel/parallel_loop.h"
#include "graticule/kernel/row_kernels.h"
#include "graticule/kernel/row_tensors.h"

namespace graticule {
namespace {

/// The list for the weight gradients of one call, kept in the autograd graph.
struct Place : torch::CustomClassHolder {
  explicit Place(std::shared_ptr<DeferredGradients> list) : deferred(std::move(list)) {}
  std::shared_ptr<DeferredGradients> deferred;
};

class LinearFunction : public torch::autograd::Function<LinearFunction> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x,
                            const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                            const std::shared_ptr<DeferredGradients>& deferred, Value value) {
    at::AutoDispatchBelowADInplaceOrView guard;
    context->save_for_backward({x, weight, bias.value_or(at::Tensor())});
    context->saved_data["place"] = c10::IValue::make_capsule(c10::make_intrusive<Place>(deferred));
    auto shape = x.sizes().vec();
    shape.back() = weight.size(0);
    if (value == Value::skipped) return at::empty(shape, x.options());
    return product(x.reshape({-1, x.size(-1)}), weight.t(), bias).view(shape);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor x = saved[0].detach(), &weight = saved[1], &bias = saved[2];
    const auto place = c10::static_intrusive_pointer_cast<Place>(context->saved_data["place"].toCapsule());
    const auto dy_NO = gradients[0].reshape({-1, weight.size(0)});
    at::Tensor dx;
    if (context->needs_input_grad(0)) dx = product(dy_NO, weight).view(x.sizes());
    const bool for_weight = context->needs_input_grad(1),
               for_bias = bias.defined() && context->needs_input_grad(2);
    const auto compute = [=] {
      WeightGradients result;
      if (for_weight) result.weight = product(dy_NO.t(), x.reshape({-1, x.size(-1)}));
      if (for_bias) result.bias = sum_rows(dy_NO);
      return result;
    };
    const auto result = now_or_later(place->deferred, weight, bias, compute);
    return {dx, result.weight, result.bias, {}, {}};
  }
};

void add_to_gradient(const at::Tensor& leaf, const at::Tensor& gradient) {
  if (!gradient.defined()) return;
  if (leaf.grad().defined()) {
    leaf.mutable_grad().add_(gradient);
  } else {
    leaf.mutable_grad() = gradient;
  }
}

}  // namespace

void DeferredGradients::run() {
  const at::NoGradGuard no_grad;
  for (auto& entry : std::exchange(entries_, {})) std::exchange(entry, nullptr)();
}

at::Tensor product(const at::Tensor& a_MK, const at::Tensor& b_KN, const std::optional<at::Tensor>& bias_N) {
  const Scope scope("linear");
  RECORD_FUNCTION("graticule::product", std::vector<c10::IValue>({a_MK, b_KN}));
  if (prefers_matrix_product(a_MK, b_KN)) return matrix_product(a_MK, b_KN, bias_N, a_MK.scalar_type());
  return bias_N ? at::addmm(*bias_N, a_MK, b_KN) : at::mm(a_MK, b_KN);
}

at::Tensor sum_rows(const at::Tensor& dy_NO) {
  const at::ScalarType type = dy_NO.scalar_type();
  if (!has_row_kernels(dy_NO)) return dy_NO.sum({0}, false, at::kFloat).to(type);
  const at::Tensor dy = dy_NO.contiguous();  // ATen would make a copy in fp32
  const int64_t rows = dy.size(0), O = dy.size(1), parts = row_parts(rows);
  const at::Tensor sums_PO = at::zeros({parts, O}, dy.options().dtype(at::kFloat));
  RECORD_FUNCTION("graticule::pointwise", std::vector<c10::IValue>({dy}));
  if (!dy.is_meta()) {
    auto* sums = sums_PO.mutable_data_ptr<float>();
    for_each_part(parts, [&](int64_t begin, int64_t end) {
      for (int64_t part = begin; part < end; ++part) {
        const Span mine = span_of(rows, parts, part);
        row_kernels().sum_rows(row_element(dy), dy.const_data_ptr(), O, mine.begin, mine.end,
                               sums + part * O);
      }
    });
  }
  return sums_PO.sum(0).to(type);
}

WeightGradients now_or_later(const std::shared_ptr<DeferredGradients>& deferred, const at::Tensor& weight,
                             const at::Tensor& bias, std::function<WeightGradients()> compute) {
  const auto booked = [compute = std::move(compute)] {
    const Accounted gradients(Account::gradients);
    return compute();
  };
  if (!deferred) return booked();
  deferred->add([weight, bias, booked] {
    const WeightGradients gradients = booked();
    add_to_gradient(weight, gradients.weight);
    add_to_gradient(bias, gradients.bias);
  });
  return {};
}

void validate_linear(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                     const std::shared_ptr<DeferredGradients>& deferred) {
  if (x.dim() < 1 || weight.dim() != 2 || x.size(-1) != weight.size(1)) {
    refuse("linear", "x is ", x.sizes(), " and the weight ", weight.sizes(),
           ": x is [.., input], the weight [output, input]");
  }
  if (bias && (bias->dim() != 1 || bias->size(0) != weight.size(0))) {
    refuse("linear", "the bias is ", bias->sizes(), ": the weight asks for [", weight.size(0), "]");
  }
  if (x.scalar_type() != weight.scalar_type() || (bias && bias->scalar_type() != x.scalar_type())) {
    refuse("linear", "x is ", x.scalar_type(), " and the weight ", weight.scalar_type(),
           ": x, weight and bias share one dtype");
  }
  GRATICULE_CHECK(!deferred || (weight.is_leaf() && (!bias || bias->is_leaf())),
                  "only a leaf's gradient can be deferred");
}

at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                  const std::shared_ptr<DeferredGradients>& deferred, Value value) {
  validate_linear(x, weight, bias, deferred);
  return LinearFunction::apply(x, weight, bias, deferred, value);
}

}  // namespace graticule

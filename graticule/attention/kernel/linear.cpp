#include "graticule/attention/kernel/linear.h"

#include <torch/csrc/autograd/custom_function.h>

#include "graticule/attention/kernel/matrix_product.h"
#include "graticule/core/error.h"

namespace graticule {
namespace {

at::Tensor product(const at::Tensor& a, const at::Tensor& b,
                   const std::optional<at::Tensor>& bias = std::nullopt) {
  if (prefers_matrix_product(a, b)) return matrix_product(a, b, bias, a.scalar_type());
  return bias ? at::addmm(*bias, a, b) : at::mm(a, b);
}

class LinearFunction : public torch::autograd::Function<LinearFunction> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x,
                            const at::Tensor& weight, const std::optional<at::Tensor>& bias) {
    at::AutoDispatchBelowADInplaceOrView guard;
    context->save_for_backward({x, weight});
    context->saved_data["bias"] = bias.has_value();
    auto shape = x.sizes().vec();
    shape.back() = weight.size(0);
    return product(x.reshape({-1, x.size(-1)}), weight.t(), bias).view(shape);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const auto& x = saved[0];
    const auto& weight = saved[1];
    const auto dy_NO = gradients[0].reshape({-1, weight.size(0)});
    at::Tensor dx, dweight, dbias;
    if (context->needs_input_grad(0)) dx = product(dy_NO, weight).view(x.sizes());
    if (context->needs_input_grad(1)) dweight = product(dy_NO.t(), x.reshape({-1, x.size(-1)}));
    if (context->saved_data["bias"].toBool() && context->needs_input_grad(2)) {
      dbias = dy_NO.sum({0}, false, at::kFloat).to(weight.scalar_type());
    }
    return {dx, dweight, dbias};
  }
};

}  // namespace

at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias) {
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
  return LinearFunction::apply(x, weight, bias);
}

}  // namespace graticule

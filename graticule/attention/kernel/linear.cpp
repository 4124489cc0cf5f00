#include "graticule/attention/kernel/linear.h"

#include <torch/csrc/autograd/custom_function.h>

#include "graticule/core/error.h"

namespace graticule {
namespace {

/// A processor without bf16 arithmetic multiplies bf16 matrices several times slower than fp32 ones.
bool widens(const at::Tensor& x) {
  return x.is_cpu() && (x.scalar_type() == at::kBFloat16 || x.scalar_type() == at::kHalf);
}

at::Tensor wide(const at::Tensor& x) { return widens(x) ? x.to(at::kFloat) : x; }

class LinearFunction : public torch::autograd::Function<LinearFunction> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x,
                            const at::Tensor& weight, const std::optional<at::Tensor>& bias) {
    at::AutoDispatchBelowADInplaceOrView guard;
    context->save_for_backward({x, weight});
    context->saved_data["bias"] = bias.has_value();
    return at::linear(wide(x), wide(weight), bias ? std::optional(wide(*bias)) : std::nullopt)
        .to(x.scalar_type());
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const auto& x = saved[0];
    const auto& weight = saved[1];
    const auto dy_NO = wide(gradients[0].reshape({-1, weight.size(0)}));
    at::Tensor dx, dweight, dbias;
    if (context->needs_input_grad(0)) {
      dx = at::matmul(dy_NO, wide(weight)).to(x.scalar_type()).view(x.sizes());
    }
    if (context->needs_input_grad(1)) {
      dweight = at::matmul(dy_NO.t(), wide(x.reshape({-1, x.size(-1)}))).to(weight.scalar_type());
    }
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

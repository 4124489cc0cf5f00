// Tokens are moved to the first dim, so that groups cut dim 0. With one sample this needs no copy. Legend:
// tensor.h; N = T B rows, n = t B rows.

#include "graticule/parallel/tensor.h"

#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/ops/empty.h>
#include <torch/csrc/autograd/custom_function.h>

#include <numeric>

#include "graticule/core/error.h"
#include "graticule/core/trace.h"

namespace graticule {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// The data of one call that the backward needs, kept in the autograd graph.
struct Layer : torch::CustomClassHolder {
  Layer(TensorLayers spread, std::shared_ptr<DeferredGradients> list)
      : layers(std::move(spread)), deferred(std::move(list)) {}
  TensorLayers layers;
  std::shared_ptr<DeferredGradients> deferred;
};

c10::intrusive_ptr<Layer> layer_of(AutogradContext* context) {
  return c10::static_intrusive_pointer_cast<Layer>(context->saved_data["layer"].toCapsule());
}

at::Tensor as_rows(const at::Tensor& x_BTC) { return x_BTC.transpose(0, 1).flatten(0, 1); }

at::Tensor as_tokens(const at::Tensor& x_NC, int64_t batch) {
  return x_NC.unflatten(0, {x_NC.size(0) / batch, batch}).transpose(0, 1);
}

/// [B, t, C] of my tokens -> [N, C].
Pending gather(const TensorLayers& layers, const at::Tensor& x_BtC) {
  return layers.group.all_gather(x_BtC.transpose(0, 1), layers.tokens_of).then([](const at::Tensor& x_TBC) {
    return x_TBC.flatten(0, 1);
  });
}

/// [N, C] -> the sum over ranks of my tokens' rows, [B, t, C].
Pending reduce_scatter(const TensorLayers& layers, const at::Tensor& x_NC, int64_t batch,
                       at::ScalarType result) {
  return layers.group
      .reduce_scatter(x_NC.unflatten(0, {x_NC.size(0) / batch, batch}), layers.tokens_of, result)
      .then([](const at::Tensor& x_tBC) { return x_tBC.transpose(0, 1); });
}

at::Tensor wait(Pending& pending) {
  const Scope scope("exchange");
  return pending.wait();
}

struct Column : torch::autograd::Function<Column> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x_BtC, const at::Tensor& weight,
                            const std::optional<at::Tensor>& bias, const c10::intrusive_ptr<Layer>& layer,
                            Value value) {
    const at::AutoDispatchBelowADInplaceOrView guard;
    context->save_for_backward({x_BtC, weight, bias.value_or(at::Tensor())});
    context->saved_data["layer"] = c10::IValue::make_capsule(layer);
    if (value == Value::skipped) {
      const auto& tokens_of = layer->layers.tokens_of;
      const int64_t T = std::accumulate(tokens_of.begin(), tokens_of.end(), int64_t{0});
      return at::empty({x_BtC.size(0), T, weight.size(0)}, x_BtC.options());
    }
    Pending gathering = gather(layer->layers, x_BtC);
    return as_tokens(product(wait(gathering), weight.t(), bias), x_BtC.size(0));
  }

  // While x is gathered, dx is computed; while dx is sent, dW is computed. With deferred gradients, x is
  // gathered when dW is computed. So the pass that other ranks wait for is as short as possible, and until
  // then only my tokens of x are kept.
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor x_BtC = saved[0].detach(), &weight = saved[1], &bias = saved[2];
    const auto layer = layer_of(context);
    const bool for_x = context->needs_input_grad(0), for_weight = context->needs_input_grad(1),
               for_bias = bias.defined() && context->needs_input_grad(2);
    const at::Tensor dy_NO = as_rows(gradients[0]);
    const auto start = [layers = layer->layers, x_BtC] {
      return std::make_shared<Pending>(gather(layers, x_BtC));
    };
    const auto gathering = for_weight && !layer->deferred ? start() : nullptr;
    std::optional<Pending> scattering;
    if (for_x) {
      scattering = reduce_scatter(layer->layers, product(dy_NO, weight), x_BtC.size(0), x_BtC.scalar_type());
    }
    const auto result = now_or_later(layer->deferred, weight, bias, [=] {
      WeightGradients mine;
      if (for_weight) mine.weight = product(dy_NO.t(), wait(gathering ? *gathering : *start()));
      if (for_bias) mine.bias = sum_rows(dy_NO);
      return mine;
    });
    return {for_x ? wait(*scattering) : at::Tensor(), result.weight, result.bias, {}, {}};
  }
};

struct Row : torch::autograd::Function<Row> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x_BTI, const at::Tensor& weight,
                            const std::optional<at::Tensor>& bias, const c10::intrusive_ptr<Layer>& layer,
                            Value value) {
    const at::AutoDispatchBelowADInplaceOrView guard;
    context->save_for_backward({x_BTI, weight, bias.value_or(at::Tensor())});
    context->saved_data["layer"] = c10::IValue::make_capsule(layer);
    if (value == Value::skipped) {
      const int64_t t = layer->layers.tokens_of[static_cast<size_t>(layer->layers.group.rank())];
      return at::empty({x_BTI.size(0), t, weight.size(0)}, x_BTI.options());
    }
    Pending scattering =
        reduce_scatter(layer->layers, product(as_rows(x_BTI), weight.t()), x_BTI.size(0), at::kFloat);
    const at::Tensor y_BtC = wait(scattering);
    return (bias ? y_BtC + *bias : y_BtC).to(x_BTI.scalar_type());
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor x_BTI = saved[0].detach(), &weight = saved[1], &bias = saved[2];
    const auto layer = layer_of(context);
    const bool for_weight = context->needs_input_grad(1),
               for_bias = bias.defined() && context->needs_input_grad(2);
    const at::Tensor& dy_BtC = gradients[0];
    Pending gathering = gather(layer->layers, dy_BtC);
    const at::Tensor dy_NC = wait(gathering);
    at::Tensor dx_BTI;
    if (context->needs_input_grad(0)) dx_BTI = as_tokens(product(dy_NC, weight), x_BTI.size(0));
    const auto result = now_or_later(layer->deferred, weight, bias, [=] {
      WeightGradients mine;
      if (for_weight) mine.weight = product(dy_NC.t(), as_rows(x_BTI));
      if (for_bias) mine.bias = sum_rows(dy_BtC.flatten(0, 1));
      return mine;
    });
    return {dx_BTI, result.weight, result.bias, {}, {}};
  }
};

}  // namespace

Span share_of(const TensorLayers& layers, int64_t n) {
  return span_of(n, layers.group.size(), layers.group.rank());
}

std::optional<Cut> cut_by(const TensorLayers& layers, int64_t dim, std::vector<Span> pieces) {
  if (layers.group.size() == 1) return std::nullopt;
  return Cut{dim, std::move(pieces)};
}

at::Tensor column_linear(const TensorLayers& layers, const at::Tensor& x_BtC, const at::Tensor& weight_OC,
                         const std::optional<at::Tensor>& bias_O, std::shared_ptr<DeferredGradients> deferred,
                         Value value) {
  if (layers.group.size() == 1) return linear(x_BtC, weight_OC, bias_O, deferred, value);
  validate_linear(x_BtC, weight_OC, bias_O, deferred);
  return Column::apply(x_BtC, weight_OC, bias_O, c10::make_intrusive<Layer>(layers, std::move(deferred)),
                       value);
}

at::Tensor row_linear(const TensorLayers& layers, const at::Tensor& x_BTI, const at::Tensor& weight_CI,
                      const std::optional<at::Tensor>& bias_C, std::shared_ptr<DeferredGradients> deferred,
                      Value value) {
  if (layers.group.size() == 1) return linear(x_BTI, weight_CI, bias_C, deferred, value);
  validate_linear(x_BTI, weight_CI, bias_C, deferred);
  return Row::apply(x_BTI, weight_CI, bias_C, c10::make_intrusive<Layer>(layers, std::move(deferred)), value);
}

}  // namespace graticule

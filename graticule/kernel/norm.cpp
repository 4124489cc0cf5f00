#include "graticule/kernel/norm.h"

#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/native_layer_norm.h>
#include <ATen/ops/native_layer_norm_backward.h>
#include <ATen/ops/zeros.h>
#include <ATen/record_function.h>
#include <torch/csrc/autograd/custom_function.h>

#include <tuple>

#include "graticule/core/error.h"
#include "graticule/core/span.h"
#include "graticule/kernel/parallel_loop.h"
#include "graticule/kernel/row_kernels.h"
#include "graticule/kernel/row_tensors.h"

namespace graticule {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr double epsilon = 1e-5;

struct Statistics {
  at::Tensor mean, r;
};

Statistics normalise(const at::Tensor& x, const at::Tensor& branch, const at::Tensor& sum,
                     const at::Tensor& normed, const at::Tensor& weight, const at::Tensor& bias) {
  const int64_t C = x.size(-1), rows = C > 0 ? x.numel() / C : 0;
  Statistics statistics{at::empty({rows}, x.options().dtype(at::kFloat)),
                        at::empty({rows}, x.options().dtype(at::kFloat))};
  if (x.is_meta()) return statistics;
  const NormForward all{row_element(x),
                        C,
                        static_cast<float>(epsilon),
                        x.const_data_ptr(),
                        branch.defined() ? branch.const_data_ptr() : nullptr,
                        sum.is_same(x) ? nullptr : sum.mutable_data_ptr(),
                        normed.mutable_data_ptr(),
                        weight.const_data_ptr(),
                        bias.const_data_ptr(),
                        statistics.mean.mutable_data_ptr<float>(),
                        statistics.r.mutable_data_ptr<float>()};
  const int64_t parts = row_parts(rows);
  for_each_part(parts, [&](int64_t begin, int64_t end) {
    row_kernels().norm_forward(all, span_of(rows, parts, begin).begin, span_of(rows, parts, end - 1).end);
  });
  return statistics;
}

struct Gradients {
  at::Tensor x, weight, bias;
};

/// dresidual: the gradient of the sum, or undefined.
Gradients normalise_backward(const at::Tensor& dresidual, const at::Tensor& dnormed, const at::Tensor& sum,
                             const Statistics& statistics, const at::Tensor& weight) {
  const int64_t C = sum.size(-1), rows = C > 0 ? sum.numel() / C : 0, parts = row_parts(rows);
  const at::Tensor dx = at::empty_like(sum);
  const at::Tensor sums_P2C = at::zeros({parts, 2, C}, sum.options().dtype(at::kFloat));
  if (!sum.is_meta()) {
    const NormBackward all{row_element(sum),
                           C,
                           sum.const_data_ptr(),
                           dnormed.const_data_ptr(),
                           dresidual.defined() ? dresidual.const_data_ptr() : nullptr,
                           dx.mutable_data_ptr(),
                           weight.const_data_ptr(),
                           statistics.mean.const_data_ptr<float>(),
                           statistics.r.const_data_ptr<float>()};
    auto* sums = sums_P2C.mutable_data_ptr<float>();
    for_each_part(parts, [&](int64_t begin, int64_t end) {
      for (int64_t part = begin; part < end; ++part) {
        const Span mine = span_of(rows, parts, part);
        row_kernels().norm_backward(all, mine.begin, mine.end, sums + part * 2 * C);
      }
    });
  }
  const at::Tensor whole_2C = sums_P2C.sum(0).to(weight.scalar_type());
  return {dx, whole_2C[0], whole_2C[1]};
}

struct AddNorm : torch::autograd::Function<AddNorm> {
  static variable_list forward(AutogradContext* context, const at::Tensor& x_NC,
                               const std::optional<at::Tensor>& branch_NC, const at::Tensor& weight,
                               const at::Tensor& bias) {
    const at::AutoDispatchBelowADInplaceOrView below_autograd;
    const at::Tensor x = x_NC.contiguous();
    at::Tensor sum = x, normed;
    Statistics statistics;
    if (has_row_kernels(x)) {
      const at::Tensor branch = branch_NC ? branch_NC->contiguous() : at::Tensor();
      if (branch_NC) sum = at::empty_like(x);
      normed = at::empty_like(x);
      RECORD_FUNCTION("graticule::pointwise",
                      std::vector<c10::IValue>({x, branch, branch_NC ? sum : branch, normed}));
      statistics = normalise(x, branch, sum, normed, weight, bias);
    } else {
      if (branch_NC) sum = x + *branch_NC;
      std::tie(normed, statistics.mean, statistics.r) =
          at::native_layer_norm(sum, {sum.size(-1)}, weight, bias, epsilon);
    }
    context->set_materialize_grads(false);
    context->saved_data["branch"] = branch_NC.has_value();
    context->save_for_backward({branch_NC ? sum : x_NC, statistics.mean, statistics.r, weight, bias});
    return {branch_NC ? sum : x_NC, normed};
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor sum = saved[0].detach().contiguous(), &weight = saved[3], &bias = saved[4];
    const Statistics statistics{saved[1], saved[2]};
    const at::Tensor &dresidual = gradients[0], &dnormed = gradients[1];
    Gradients d;
    if (!dnormed.defined()) {
      d.x = dresidual;
    } else if (has_row_kernels(sum)) {
      const at::Tensor dense = dnormed.contiguous(),
                       residual = dresidual.defined() ? dresidual.contiguous() : at::Tensor();
      RECORD_FUNCTION("graticule::pointwise", std::vector<c10::IValue>({sum, dense, residual, sum}));
      d = normalise_backward(residual, dense, sum, statistics, weight);
    } else {
      std::tie(d.x, d.weight, d.bias) = at::native_layer_norm_backward(
          dnormed, sum, {sum.size(-1)}, statistics.mean, statistics.r, weight, bias, {true, true, true});
      if (dresidual.defined()) d.x = d.x + dresidual;
    }
    const bool branch = context->saved_data["branch"].toBool();
    return {d.x, branch ? d.x : at::Tensor(), d.weight, d.bias};
  }
};

}  // namespace

NormedSum add_norm(const at::Tensor& x_NC, const std::optional<at::Tensor>& branch_NC,
                   const at::Tensor& weight_C, const at::Tensor& bias_C) {
  GRATICULE_CHECK(!branch_NC || branch_NC->sizes() == x_NC.sizes(), "x is ", x_NC.sizes());
  const auto results = AddNorm::apply(x_NC, branch_NC, weight_C, bias_C);
  return {results[0], results[1]};
}

at::Tensor layer_norm(const at::Tensor& x_NC, const at::Tensor& weight_C, const at::Tensor& bias_C) {
  return add_norm(x_NC, std::nullopt, weight_C, bias_C).normed_NC;
}

}  // namespace graticule

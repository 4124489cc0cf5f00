#include "graticule/kernel/gelu.h"

#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/gelu_backward.h>
#include <ATen/record_function.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <functional>

#include "graticule/kernel/parallel_loop.h"
#include "graticule/kernel/row_kernels.h"
#include "graticule/kernel/row_tensors.h"

namespace graticule {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr int64_t elements_a_part = 1 << 14;

/// Runs body(begin, end) over ranges of the elements of x.
void for_elements(const at::Tensor& x, const std::function<void(int64_t begin, int64_t end)>& body) {
  if (x.is_meta()) return;
  const int64_t count = x.numel();
  for_each_part((count + elements_a_part - 1) / elements_a_part, [&](int64_t begin, int64_t end) {
    body(begin * elements_a_part, std::min(count, end * elements_a_part));
  });
}

struct Gelu : torch::autograd::Function<Gelu> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& input) {
    const at::AutoDispatchBelowADInplaceOrView below_autograd;
    const at::Tensor x = input.is_non_overlapping_and_dense() ? input : input.contiguous();
    context->save_for_backward({x});
    if (!has_row_kernels(x)) return at::gelu(x);
    at::Tensor y = at::empty_like(x);  // with the strides of x
    RECORD_FUNCTION("graticule::pointwise", std::vector<c10::IValue>({x, y}));
    for_elements(x, [&](int64_t begin, int64_t end) {
      row_kernels().gelu_forward(row_element(x), x.const_data_ptr(), y.mutable_data_ptr(), begin, end);
    });
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const at::Tensor x = context->get_saved_variables()[0].detach();
    if (!has_row_kernels(x)) return {at::gelu_backward(gradients[0], x)};
    const at::Tensor dx = at::empty_like(x);
    const at::Tensor dy =
        gradients[0].strides() == x.strides() ? gradients[0] : at::empty_like(x).copy_(gradients[0]);
    RECORD_FUNCTION("graticule::pointwise", std::vector<c10::IValue>({x, dy, dx}));
    for_elements(x, [&](int64_t begin, int64_t end) {
      row_kernels().gelu_backward(row_element(x), x.const_data_ptr(), dy.const_data_ptr(),
                                  dx.mutable_data_ptr(), begin, end);
    });
    return {dx};
  }
};

}  // namespace

at::Tensor gelu(const at::Tensor& x) { return Gelu::apply(x); }

}  // namespace graticule

// Registers operators of ATen for meta tensors. PyTorch implements these only in Python, and the program has
// no Python. They allocate results and scratch as the real kernels do (kernel/stand_in.h).
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <torch/library.h>

#include <tuple>

#include "graticule/kernel/stand_in.h"

namespace {

using graticule::kernels_for;
using Maybe = std::optional<at::Tensor>;

// The mean or the reciprocal deviation of each row: the sizes of x, with 1 for the normalised dims.
at::Tensor row_statistics(const at::Tensor& x, c10::IntArrayRef normalised) {
  auto sizes = x.sizes().vec();
  for (size_t i = sizes.size() - normalised.size(); i < sizes.size(); ++i) sizes[i] = 1;
  return at::empty(sizes, x.options());
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> layer_norm(const at::Tensor& x, c10::IntArrayRef normalised,
                                                          const Maybe&, const Maybe&, double) {
  const at::Tensor dense = x.contiguous(), y = at::empty_like(dense);
  return {y, row_statistics(x, normalised), row_statistics(x, normalised)};
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> layer_norm_backward(const at::Tensor& dy, const at::Tensor& x,
                                                                   c10::IntArrayRef, const at::Tensor&,
                                                                   const at::Tensor&, const Maybe& weight,
                                                                   const Maybe& bias,
                                                                   std::array<bool, 3> wanted) {
  const at::Tensor dense = x.contiguous(), dense_dy = dy.contiguous();
  at::Tensor dx, dweight, dbias;
  if (wanted[0]) dx = at::empty_like(dense);
  if (wanted[1]) dweight = at::empty_like(*weight);
  if (wanted[2]) dbias = at::empty_like(*bias);
  // Each thread of a CPU has its own sums of the gradients of weight and bias.
  if (kernels_for(x) && (wanted[1] || wanted[2])) {
    at::empty({2, at::get_num_threads(), (weight ? *weight : *bias).numel()}, x.options().dtype(at::kFloat));
  }
  return {dx, dweight, dbias};
}

void fused_adamw(at::TensorList, at::TensorList, at::TensorList, at::TensorList, at::TensorList,
                 at::TensorList, double, double, double, double, double, bool, bool, const Maybe&,
                 const Maybe&) {}

at::Tensor index_select(const at::Tensor& x, int64_t dim, const at::Tensor& index) {
  std::vector<int64_t> sizes = x.sizes().vec();
  sizes[static_cast<size_t>(dim)] = index.numel();
  return at::empty(sizes, x.options());
}

at::Tensor dot(const at::Tensor& a, const at::Tensor&) { return at::empty({}, a.options()); }

}  // namespace

TORCH_LIBRARY_IMPL(aten, Meta, library) {
  library.impl("native_layer_norm", layer_norm);
  library.impl("native_layer_norm_backward", layer_norm_backward);
  library.impl("_fused_adamw_", fused_adamw);
  library.impl("index_select", index_select);
  library.impl("dot", dot);
}

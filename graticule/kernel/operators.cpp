// The operators that any PyTorch program can load: graticule::flash_attention and its backward. The backward
// is an operator of its own, so that a traced program has both as single nodes.
#include <torch/library.h>

#include "graticule/kernel/flash.h"

namespace graticule {
namespace {

std::tuple<at::Tensor, at::Tensor> forward(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                           std::optional<double> scale) {
  auto result = flash_forward(q, k, v, scale);
  return {result.out_BTHD, result.lse_BHT};
}

std::tuple<at::Tensor, at::Tensor> differentiable(const at::Tensor& q, const at::Tensor& k,
                                                  const at::Tensor& v, std::optional<double> scale) {
  auto result = flash_attention(q, k, v, scale);
  return {result.out_BTHD, result.lse_BHT};
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> backward(const at::Tensor& dout, const at::Tensor& q,
                                                        const at::Tensor& k, const at::Tensor& v,
                                                        const at::Tensor& out, const at::Tensor& lse,
                                                        std::optional<double> scale,
                                                        const std::optional<at::Tensor>& dlse) {
  auto gradients = flash_backward(dout, q, k, v, out, lse, scale, dlse);
  return {gradients.dq_BTHD, gradients.dk_BSGD, gradients.dv_BSGD};
}

TORCH_LIBRARY(graticule, library) {
  library.def("flash_attention(Tensor q, Tensor k, Tensor v, float? scale=None) -> (Tensor out, Tensor lse)");
  library.def(
      "flash_attention_backward(Tensor dout, Tensor q, Tensor k, Tensor v, Tensor out, Tensor lse, float? "
      "scale=None, "
      "Tensor? dlse=None) -> (Tensor dq, Tensor dk, Tensor dv)");
}

TORCH_LIBRARY_IMPL(graticule, CPU, library) {
  library.impl("flash_attention", forward);
  library.impl("flash_attention_backward", backward);
}

TORCH_LIBRARY_IMPL(graticule, CUDA, library) {
  library.impl("flash_attention", forward);
  library.impl("flash_attention_backward", backward);
}

TORCH_LIBRARY_IMPL(graticule, Meta, library) {
  library.impl("flash_attention", forward);
  library.impl("flash_attention_backward", backward);
}

TORCH_LIBRARY_IMPL(graticule, Autograd, library) { library.impl("flash_attention", differentiable); }

}  // namespace
}  // namespace graticule

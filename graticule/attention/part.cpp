#include "graticule/attention/part.h"

#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>

#include <limits>

#include "graticule/core/trace.h"

namespace graticule {

namespace {

at::Tensor no_result(const at::Tensor& like, at::ScalarType dtype) {
  return at::zeros(like.sizes(), like.options().dtype(dtype));
}

}  // namespace

at::Tensor as_heads(const at::Tensor& x_BHN) { return x_BHN.transpose(1, 2).unsqueeze(3); }

at::Tensor from_heads(const at::Tensor& x_BNH1) { return x_BNH1.squeeze(3).transpose(1, 2); }

FlashResult attend_part(const at::Tensor& q_BNHD, const at::Tensor& k_BMGD, const at::Tensor& v_BMGD,
                        at::ScalarType dtype) {
  const Scope scope("attention");
  if (k_BMGD.size(1) > 0) return flash_forward(q_BNHD, k_BMGD, v_BMGD, std::nullopt, dtype);
  return {no_result(q_BNHD, dtype),
          at::full({q_BNHD.size(0), q_BNHD.size(2), q_BNHD.size(1)}, -std::numeric_limits<float>::infinity(),
                   q_BNHD.options().dtype(at::kFloat))};
}

FlashGradients differentiate_part(const at::Tensor& dout_BNHD, const at::Tensor& q_BNHD,
                                  const at::Tensor& k_BMGD, const at::Tensor& v_BMGD, const Merged& merged) {
  const Scope scope("attention");
  if (k_BMGD.size(1) == 0) {
    return {no_result(q_BNHD, at::kFloat), no_result(k_BMGD, at::kFloat), no_result(v_BMGD, at::kFloat)};
  }
  if (merged.out_BNHD.defined()) {
    return flash_backward(dout_BNHD, q_BNHD, k_BMGD, v_BMGD, merged.out_BNHD, merged.lse_BHN, std::nullopt,
                          std::nullopt, at::kFloat);
  }
  return flash_backward_by_delta(dout_BNHD, q_BNHD, k_BMGD, v_BMGD, merged.delta_BHN, merged.lse_BHN,
                                 at::kFloat);
}

}  // namespace graticule

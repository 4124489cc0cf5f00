#include "graticule/attention/scheme.h"
#include "graticule/core/trace.h"

namespace graticule {

ContextScheme local_scheme() {
  return {[](const at::Tensor& q_BTHD, const at::Tensor& k_BTGD, const at::Tensor& v_BTGD) {
            const Scope scope("attention");
            return flash_forward(q_BTHD, k_BTGD, v_BTGD);
          },
          [](const at::Tensor& dout_BTHD, const at::Tensor& q_BTHD, const at::Tensor& k_BTGD,
             const at::Tensor& v_BTGD, const at::Tensor& out_BTHD, const at::Tensor& lse_BHT) {
            const Scope scope("attention");
            return flash_backward(dout_BTHD, q_BTHD, k_BTGD, v_BTGD, out_BTHD, lse_BHT);
          }};
}

Attention local_attention() { return differentiable(outermost(local_scheme())); }

}  // namespace graticule

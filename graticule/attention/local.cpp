#include "graticule/attention/attention.h"
#include "graticule/attention/kernel/flash.h"
#include "graticule/core/trace.h"

namespace graticule {

Attention local_attention() {
  return [](const at::Tensor& q_BTHD, const at::Tensor& k_BTGD, const at::Tensor& v_BTGD) {
    const Scope scope("attention");
    return flash_attention(q_BTHD, k_BTGD, v_BTGD).out_BTHD;
  };
}

}  // namespace graticule

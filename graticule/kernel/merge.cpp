#include "graticule/kernel/merge.h"

#include <ATen/ops/logaddexp.h>
#include <ATen/ops/sigmoid.h>

#include <limits>

namespace graticule {

void merge_into(FlashResult& total, const FlashResult& part) {
  // If neither side has keys, the difference is infinity less infinity. So the lowest number replaces total's
  // -infinity.
  const auto difference_BHT = part.lse_BHT - total.lse_BHT.clamp_min(std::numeric_limits<float>::lowest());
  const auto weight_BTH1 = at::sigmoid(difference_BHT).transpose(1, 2).unsqueeze(3);
  total.out_BTHD.lerp_(part.out_BTHD, weight_BTH1);
  at::logaddexp_out(total.lse_BHT, total.lse_BHT, part.lse_BHT);
}

}  // namespace graticule

#include "graticule/train/loss.h"

namespace graticule {

at::Tensor squared_error_sum(const at::Tensor& prediction_BTKP, const at::Tensor& target_BTKP,
                             const at::Tensor& weight_BTKP) {
  return (weight_BTKP * (prediction_BTKP - target_BTKP).square()).sum();
}

}  // namespace graticule

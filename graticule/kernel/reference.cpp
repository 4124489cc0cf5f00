#include "graticule/kernel/reference.h"

#include <ATen/ops/logsumexp.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/softmax.h>

#include <cmath>

namespace graticule {

FlashResult reference_attention(const at::Tensor& q_BTHD, const at::Tensor& k_BSGD, const at::Tensor& v_BSGD,
                                std::optional<double> scale) {
  const auto repeat = q_BTHD.size(2) / k_BSGD.size(2);
  const auto heads_first = [](const at::Tensor& x) { return x.to(at::kDouble).transpose(1, 2); };
  const auto k_BHSD = heads_first(k_BSGD).repeat_interleave(repeat, 1);
  const auto v_BHSD = heads_first(v_BSGD).repeat_interleave(repeat, 1);
  const auto factor = scale.value_or(1.0 / std::sqrt(static_cast<double>(q_BTHD.size(3))));
  const auto s_BHTS = factor * at::matmul(heads_first(q_BTHD), k_BHSD.transpose(2, 3));
  const auto out_BHTD = at::matmul(at::softmax(s_BHTS, -1), v_BHSD);
  return {out_BHTD.transpose(1, 2), at::logsumexp(s_BHTS, {-1})};
}

}  // namespace graticule

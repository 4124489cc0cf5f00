#include "graticule/kernel/merge.h"

#include <ATen/ops/logaddexp.h>
#include <ATen/ops/sigmoid.h>

#include "graticule/core/error.h"

namespace graticule {

FlashResult merge(const FlashResult& a, const FlashResult& b) {
  if (a.out_BTHD.sizes() != b.out_BTHD.sizes() || a.lse_BHT.sizes() != b.lse_BHT.sizes()) {
    refuse("merge", "partial results of shapes ", a.out_BTHD.sizes(), " and ", b.out_BTHD.sizes(),
           ": both must cover the same queries, heads and width");
  }
  const auto lse_a = a.lse_BHT.to(at::kFloat);
  const auto lse_b = b.lse_BHT.to(at::kFloat);
  const auto difference_BTH1 = (lse_b - lse_a).transpose(1, 2).unsqueeze(3);
  const auto out = at::sigmoid(-difference_BTH1) * a.out_BTHD + at::sigmoid(difference_BTH1) * b.out_BTHD;
  return {out, at::logaddexp(lse_a, lse_b)};
}

void merge_into(FlashResult& total, const FlashResult& part) {
  const auto weight_BTH1 = at::sigmoid(part.lse_BHT - total.lse_BHT).transpose(1, 2).unsqueeze(3);
  total.out_BTHD.lerp_(part.out_BTHD, weight_BTH1);
  at::logaddexp_out(total.lse_BHT, total.lse_BHT, part.lse_BHT);
}

}  // namespace graticule

#include "bench/linear_speed.h"

#include <ATen/ops/addmm.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/randn.h>

#include <algorithm>
#include <vector>

#include "bench/brgemm_rate.h"
#include "bench/timing.h"
#include "graticule/core/error.h"
#include "graticule/kernel/matrix_blocks.h"
#include "graticule/kernel/matrix_product.h"
#include "graticule/kernel/product_choice.h"

namespace graticule {
namespace {

/// a [M, K] and b [K, N] as a linear layer gives them: views of its tensors.
struct Operands {
  at::Tensor a, b;
  std::optional<at::Tensor> bias;
};

Operands operands(LinearProduct product, const LinearSize& s, at::ScalarType dtype) {
  const auto make = [&](int64_t rows, int64_t columns) { return at::randn({rows, columns}).to(dtype); };
  switch (product) {
    case LinearProduct::output:
      return {make(s.rows, s.inner), make(s.columns, s.inner).t(), at::randn({s.columns}).to(dtype)};
    case LinearProduct::input_gradient:
      return {make(s.rows, s.columns), make(s.columns, s.inner), std::nullopt};
    default:
      return {make(s.rows, s.columns).t(), make(s.rows, s.inner), std::nullopt};
  }
}

at::Tensor by_blocks(const Operands& x) { return matrix_product(x.a, x.b, x.bias, x.a.scalar_type()); }

at::Tensor by_aten(const Operands& x) { return x.bias ? at::addmm(*x.bias, x.a, x.b) : at::mm(x.a, x.b); }

void verify(const char* name, const at::Tensor& result, const Operands& x) {
  const auto wide = [](const at::Tensor& y) { return y.to(at::kDouble); };
  const auto exact = by_aten({wide(x.a), wide(x.b), x.bias ? std::optional(wide(*x.bias)) : std::nullopt});
  const auto error = ((wide(result) - exact).abs().max() / exact.abs().max()).item<double>();
  const double limit = x.a.scalar_type() == at::kFloat ? 1e-5 : 1e-2;
  if (!(error < limit)) fail("bench linear", name, " is wrong by ", error, ", allowed is ", limit);
}

std::optional<double> rate_of_brgemm(const Operands& x) {
  const SmallProduct p{std::min(x.a.size(0), block_rows), std::min(x.b.size(1), block_columns),
                       std::min(x.a.size(1), block_terms)};
  const double once = 2.0 * static_cast<double>(p.rows * p.inner * p.columns);
  return brgemm_rate({p}, brgemm_is_fp32(x.a.scalar_type()), static_cast<int64_t>(1 + 2e9 / once));
}

}  // namespace

bool brgemm_is_fp32(at::ScalarType dtype) { return dtype != at::kBFloat16 || most_block_terms(dtype) > 0; }

LinearSpeed measure_linear(LinearProduct product, const LinearSize& size, at::ScalarType dtype,
                           int64_t repeats) {
  if (size.rows < 1 || size.inner < 1 || size.columns < 1 || repeats < 1) {
    refuse("bench linear", size.rows, " rows, inner width ", size.inner, ", ", size.columns, " columns, ",
           repeats, " repeats: each must be 1 or more");
  }
  at::manual_seed(0);
  const bool has_blocks = matrix_packing() != nullptr;
  const auto small = operands(product, {std::min<int64_t>(size.rows, 300), size.inner, size.columns}, dtype);
  if (has_blocks) verify("the product by blocks", by_blocks(small), small);
  verify("ATen's product", by_aten(small), small);

  const auto x = operands(product, size, dtype);
  const double operations = 2e-9 * static_cast<double>(size.rows) * static_cast<double>(size.inner) *
                            static_cast<double>(size.columns);
  LinearSpeed speed;
  speed.chooses_blocks = prefers_matrix_product(x.a, x.b);
  const auto calls = static_cast<int64_t>(std::max(1.0, 2 / operations));
  const auto rate_of = [&](const auto& multiply) {
    return operations * static_cast<double>(calls) / seconds_of([&] {
             for (int64_t call = 0; call < calls; ++call) multiply(x);
           });
  };
  std::vector<double> blocks, atens, ratios, brgemm, shares;
  rate_of(by_aten);  // takes the memory that the turns use again
  if (has_blocks) rate_of(by_blocks);
  for (int64_t i = 0; i < repeats; ++i) {
    if (has_blocks) blocks.push_back(rate_of(by_blocks));
    atens.push_back(rate_of(by_aten));
    const double chosen = speed.chooses_blocks ? blocks.back() : atens.back();
    ratios.push_back(chosen / atens.back());
    if (const auto rate = rate_of_brgemm(x)) brgemm.push_back(*rate), shares.push_back(chosen / *rate);
  }
  speed.aten_gflops = median(atens);
  speed.ratio = median(ratios);
  if (has_blocks) speed.blocks_gflops = median(blocks);
  if (!brgemm.empty()) speed.brgemm_gflops = median(brgemm), speed.share = median(shares);
  return speed;
}

}  // namespace graticule

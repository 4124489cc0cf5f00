#include "bench/brgemm_rate.h"

#include <ATen/Parallel.h>
#include <ATen/native/CPUBlas.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/ones.h>

#include "bench/timing.h"
#include "graticule/kernel/parallel_loop.h"

namespace graticule {
namespace {

template <class Number>
void run(const SmallProduct& p, at::ScalarType dtype, int64_t turns) {
  const int64_t inner = dtype == at::kFloat ? p.inner : p.inner + p.inner % 2;
  const auto a = at::ones({p.rows, inner}, dtype), b = at::ones({inner, p.columns}, dtype);
  const auto c = at::empty({p.rows, p.columns}, at::kFloat);
  for (int64_t i = 0; i < turns; ++i) {
    at::native::cpublas::brgemm(p.rows, p.columns, inner, inner, p.columns, p.columns, false,
                                a.const_data_ptr<Number>(), b.const_data_ptr<Number>(), c.data_ptr<float>());
  }
}

}  // namespace

std::optional<double> brgemm_rate(const std::vector<SmallProduct>& products, bool as_fp32, int64_t turns) {
  const int64_t threads = at::get_num_threads();
  const auto work = [&] {
    for_each_part(threads, [&](int64_t begin, int64_t end) {
      for (int64_t thread = begin; thread < end; ++thread) {
        for (const auto& p : products)
          as_fp32 ? run<float>(p, at::kFloat, turns) : run<at::BFloat16>(p, at::kBFloat16, turns);
      }
      at::native::cpublas::brgemm_release(!as_fp32);
    });
  };
  double operations = 0;
  for (const auto& p : products)
    operations += 2.0 * static_cast<double>(p.rows * p.columns * p.inner * turns * threads);
  try {
    return operations / seconds_of(work) / 1e9;
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

}  // namespace graticule

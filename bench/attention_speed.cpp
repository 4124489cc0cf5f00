#include "bench/attention_speed.h"

#include <ATen/Context.h>
#include <ATen/native/CPUBlas.h>
#include <ATen/ops/randn.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "bench/brgemm_rate.h"
#include "bench/timing.h"
#include "graticule/core/error.h"
#include "graticule/kernel/flash.h"
#include "graticule/kernel/flash_aten.h"
#include "graticule/kernel/reference.h"

namespace graticule {
namespace {

struct Operands {
  at::Tensor q, k, v, dout;
};

Operands random_inputs(const AttentionSpeedOptions& options, int64_t tokens) {
  const auto make = [&] {
    return at::randn({options.batch, tokens, options.heads, options.width}).to(options.dtype);
  };
  return {make(), make(), make(), make()};
}

void verify(const AttentionSpeedOptions& options) {
  const auto x = random_inputs(options, std::min<int64_t>(options.tokens, 257));
  const auto out = flash_forward(x.q, x.k, x.v).out_BTHD.to(at::kDouble);
  const auto exact = reference_attention(x.q, x.k, x.v).out_BTHD;
  const auto error = ((out - exact).abs().max() / exact.abs().max()).item<double>();
  const double limit = options.dtype == at::kFloat ? 1e-5 : 1e-2;
  if (!(error < limit))
    fail("bench attention", "our kernel is wrong by ", error, " on a small case, allowed is ", limit);
}

constexpr int64_t query_block = 128, key_block = 256;  // tile sizes of a kernel that uses brgemm

std::optional<double> products_rate(bool backward, int64_t width, bool as_fp32) {
  std::vector<SmallProduct> products{{query_block, key_block, width}, {query_block, width, key_block}};
  if (backward) {
    products = {{key_block, query_block, width},
                {key_block, query_block, width},
                {key_block, width, query_block},
                {key_block, width, query_block},
                {query_block, width, key_block}};
  }
  return brgemm_rate(products, as_fp32, 400);
}

constexpr double least_seconds = 0.02;  // of a turn: shorter work is repeated, as the products are

/// Seconds of one call of `work`, in a turn that is long enough to measure.
double seconds_of_one(const std::function<void()>& work, int64_t calls) {
  return seconds_of([&] {
           for (int64_t call = 0; call < calls; ++call) work();
         }) /
         static_cast<double>(calls);
}

DirectionSpeed in_turns(const AttentionSpeedOptions& options, bool as_fp32, bool backward,
                        const std::function<void()>& ours, const std::function<void()>& atens) {
  const auto operations = static_cast<double>(options.batch * options.heads * options.width) *
                          static_cast<double>(options.tokens) * static_cast<double>(options.tokens) *
                          (backward ? 10 : 4) / 1e9;
  std::vector<double> our_times, aten_times, ratios, rates, shares;
  ours();
  const auto calls = std::max<int64_t>(1, std::llround(least_seconds / seconds_of(ours)));
  for (int64_t i = 0; i < options.repeats; ++i) {
    our_times.push_back(seconds_of_one(ours, calls));
    aten_times.push_back(seconds_of_one(atens, calls));
    ratios.push_back(aten_times.back() / our_times.back());
    if (const auto rate = products_rate(backward, options.width, as_fp32)) {
      rates.push_back(*rate);
      shares.push_back(operations / our_times.back() / *rate);
    }
  }
  DirectionSpeed speed;
  speed.seconds = median(our_times);
  speed.aten_seconds = median(aten_times);
  speed.gflops = operations / speed.seconds;
  speed.aten_gflops = operations / speed.aten_seconds;
  speed.ratio = median(ratios);
  if (!rates.empty()) {
    speed.products_gflops = median(rates);
    speed.share = median(shares);
  }
  return speed;
}

}  // namespace

AttentionSpeed measure_attention(const AttentionSpeedOptions& options) {
  if (options.batch < 1 || options.heads < 1 || options.tokens < 1 || options.repeats < 1) {
    refuse("bench attention", "batch ", options.batch, ", heads ", options.heads, ", tokens ", options.tokens,
           ", repeats ", options.repeats, ": each must be 1 or more");
  }
  at::manual_seed(0);
  verify(options);
  AttentionSpeed speed;
  speed.products_are_fp32 = options.dtype != at::kBFloat16 || !at::native::cpublas::could_pack(at::kBFloat16);
  const auto x = random_inputs(options, options.tokens);
  const double scale = 1 / std::sqrt(static_cast<double>(options.width));
  FlashResult ours, atens;
  speed.forward = in_turns(
      options, speed.products_are_fp32, false, [&] { ours = flash_forward(x.q, x.k, x.v); },
      [&] { atens = flash_aten_forward(x.q, x.k, x.v, scale); });
  if (options.backward) {
    speed.backward = in_turns(
        options, speed.products_are_fp32, true,
        [&] { flash_backward(x.dout, x.q, x.k, x.v, ours.out_BTHD, ours.lse_BHT); },
        [&] {
          flash_aten_backward(x.dout, x.q, x.k, x.v, atens.out_BTHD, atens.lse_BHT, scale, std::nullopt);
        });
  }
  return speed;
}

}  // namespace graticule

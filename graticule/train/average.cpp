#include "graticule/train/average.h"

#include <ATen/core/grad_mode.h>
#include <ATen/record_function.h>

#include <algorithm>

#include "graticule/core/ledger.h"
#include "graticule/core/trace.h"

namespace graticule {

namespace {

constexpr int64_t chunk_elements = int64_t{1} << 18;  // copied at a time: 1 MiB

}  // namespace

double average_decay(double ema, int64_t step) {
  const auto t = static_cast<double>(step);
  return std::min(ema, (1 + t) / (10 + t));
}

void update_average(Chain& chain, double ema, int64_t step) {
  if (ema <= 0) return;
  const Scope timed("optimizer");
  RECORD_FUNCTION("graticule::update", std::vector<c10::IValue>());
  const at::NoGradGuard no_grad;
  for (auto* part : chain.parts())
    part->state().average.lerp_(part->state().master, 1 - average_decay(ema, step));
}

// The contents are exchanged and not the tensors, because the weights in use may be the master weights
// themselves.
void exchange_average(Chain& chain) {
  const Accounted booked(Account::optimizer);
  const at::NoGradGuard no_grad;
  for (auto* part : chain.parts()) {
    const OwnedState& state = part->state();
    for (int64_t begin = 0; begin < state.master.numel(); begin += chunk_elements) {
      const int64_t size = std::min(chunk_elements, state.master.numel() - begin);
      const at::Tensor weights = state.master.narrow(0, begin, size),
                       average = state.average.narrow(0, begin, size), copy = weights.clone();
      weights.copy_(average);
      average.copy_(copy);
    }
  }
  chain.refresh();
}

}  // namespace graticule

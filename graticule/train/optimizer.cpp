#include "graticule/train/optimizer.h"

#include "graticule/core/ledger.h"
#include "graticule/core/trace.h"

namespace graticule {

namespace {

// Stretches of the owned span whose parameters share the same weight decay.
struct Stretch {
  Span span;  ///< within the owned span
  bool decay;
};

std::vector<Stretch> stretches_of(const ShardedPart& part) {
  std::vector<Stretch> stretches;
  int64_t offset = 0;
  for (const auto& parameter : part.parameters()) {
    const Span shared = intersect(part.owned(), {offset, offset + parameter.numel()});
    offset += parameter.numel();
    if (shared.empty()) continue;
    const Span local = {shared.begin - part.owned().begin, shared.end - part.owned().begin};
    if (!stretches.empty() && stretches.back().decay == parameter.decay) {
      stretches.back().span.end = local.end;
    } else {
      stretches.push_back({local, parameter.decay});
    }
  }
  return stretches;
}

void update_part(ShardedPart& part, const AdamW& adamw, double lr, int64_t step) {
  for (const bool decay : {false, true}) {
    std::vector<at::Tensor> weights, gradients, moments1, moments2, steps;
    for (const Stretch& stretch : stretches_of(part)) {
      if (stretch.decay != decay) continue;
      const auto cut = [&](const at::Tensor& flat) {
        return flat.narrow(0, stretch.span.begin, stretch.span.size());
      };
      weights.push_back(cut(part.state().master));
      gradients.push_back(cut(part.owned_gradient()));
      moments1.push_back(cut(part.state().moment1));
      moments2.push_back(cut(part.state().moment2));
      steps.push_back(at::full({}, static_cast<double>(step), weights.back().options()));
    }
    if (weights.empty()) continue;
    at::_fused_adamw_(weights, gradients, moments1, moments2, {}, steps, lr, adamw.beta1, adamw.beta2,
                      decay ? adamw.weight_decay : 0.0, adamw.epsilon, false, false);
  }
}

}  // namespace

at::Tensor gradient_square_sum(Chain& chain, const Group& world) {
  at::Tensor sum = at::zeros({1}, at::TensorOptions(at::kDouble).device(chain.device()));
  for (const auto* part : chain.parts()) {
    const at::Tensor& gradient = part->owned_gradient();
    if (part->speaks() && gradient.numel() > 0) sum += at::dot(gradient, gradient);
  }
  return world.all_reduce(sum).wait()[0];
}

void update(Chain& chain, const AdamW& adamw, double lr, const at::Tensor& scale, int64_t step) {
  const Scope timed("optimizer");
  const Accounted booked(Account::optimizer);
  const at::NoGradGuard no_grad;
  for (auto* part : chain.parts()) {
    if (part->owned().empty()) continue;
    part->owned_gradient().mul_(scale);
    update_part(*part, adamw, lr, step);
  }
  chain.refresh();
}

}  // namespace graticule

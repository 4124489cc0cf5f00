#include "graticule/train/optimizer.h"

#include "graticule/core/trace.h"

namespace graticule {

namespace {

// Stretches of the owned span whose parameters share the same weight decay.
struct Stretch {
  Span span;  ///< within the owned span
  bool decay;
};

std::vector<Stretch> stretches_of(const ShardedBlock& block) {
  std::vector<Stretch> stretches;
  int64_t offset = 0;
  for (const auto& parameter : block.parameters()) {
    const Span part = intersect(block.owned(), {offset, offset + parameter.numel()});
    offset += parameter.numel();
    if (part.empty()) continue;
    const Span local = {part.begin - block.owned().begin, part.end - block.owned().begin};
    if (!stretches.empty() && stretches.back().decay == parameter.decay) {
      stretches.back().span.end = local.end;
    } else {
      stretches.push_back({local, parameter.decay});
    }
  }
  return stretches;
}

void update_block(ShardedBlock& block, const AdamW& adamw, double lr, int64_t step) {
  for (const bool decay : {false, true}) {
    std::vector<at::Tensor> weights, gradients, moments1, moments2, steps;
    for (const Stretch& stretch : stretches_of(block)) {
      if (stretch.decay != decay) continue;
      const auto cut = [&](const at::Tensor& flat) {
        return flat.narrow(0, stretch.span.begin, stretch.span.size());
      };
      weights.push_back(cut(block.state().master));
      gradients.push_back(cut(block.owned_gradient()));
      moments1.push_back(cut(block.state().moment1));
      moments2.push_back(cut(block.state().moment2));
      steps.push_back(at::full({}, static_cast<double>(step), weights.back().options()));
    }
    if (weights.empty()) continue;
    at::_fused_adamw_(weights, gradients, moments1, moments2, {}, steps, lr, adamw.beta1, adamw.beta2,
                      decay ? adamw.weight_decay : 0.0, adamw.epsilon, false, false);
  }
}

}  // namespace

double gradient_square_sum(Chain& chain, Shard level, const Group& replicas) {
  double sum = 0;
  for (auto& block : chain.blocks()) {
    const at::Tensor& gradient = block.owned_gradient();
    if (gradient.numel() > 0) sum += at::dot(gradient, gradient).item<double>();
  }
  if (level == Shard::none) return sum;
  return replicas.all_reduce(at::full({1}, sum, at::kDouble)).wait().item<double>();
}

void update(Chain& chain, const AdamW& adamw, double lr, double scale, int64_t step) {
  const Scope scope("optimizer");
  const at::NoGradGuard no_grad;
  for (auto& block : chain.blocks()) {
    if (block.owned().empty()) continue;
    block.owned_gradient().mul_(scale);
    update_block(block, adamw, lr, step);
  }
  chain.refresh();
}

}  // namespace graticule

#include "graticule/train/optimizer.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/bitwise_and.h>
#include <ATen/ops/bitwise_right_shift.h>
#include <ATen/ops/dot.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <ATen/record_function.h>

#include <algorithm>

#include "graticule/core/ledger.h"
#include "graticule/core/trace.h"
#include "graticule/train/rounding.h"

namespace graticule {

namespace {

constexpr int64_t chunk_elements = int64_t{1}
                                   << 18;  // 1 MiB of fp32, so that what a chunk needs stays in cache

// The tensors that one call of the fused kernel updates.
struct Tensors {
  std::vector<at::Tensor> weights, gradients, moments1, moments2;

  void add(ShardedPart& part, const Span& span, const at::Tensor& moment1, const at::Tensor& moment2) {
    weights.push_back(part.state().master.narrow(0, span.begin, span.size()));
    gradients.push_back(part.owned_gradient().narrow(0, span.begin, span.size()));
    moments1.push_back(moment1);
    moments2.push_back(moment2);
  }

  void update(const AdamW& adamw, double lr, int64_t step, bool decay) {
    if (weights.empty()) return;
    const std::vector<at::Tensor> steps(weights.size(),
                                        at::full({}, static_cast<double>(step), weights.front().options()));
    at::_fused_adamw_(weights, gradients, moments1, moments2, {}, steps, lr, adamw.beta1, adamw.beta2,
                      decay ? adamw.weight_decay : 0.0, adamw.epsilon, false, false);
  }
};

void update_fp32(ShardedPart& part, const AdamW& adamw, double lr, int64_t step) {
  for (const bool decay : {false, true}) {
    Tensors tensors;
    for (const auto& [span, decays] : part.stretches()) {
      if (decays != decay) continue;
      tensors.add(part, span, part.state().moment1.narrow(0, span.begin, span.size()),
                  part.state().moment2.narrow(0, span.begin, span.size()));
    }
    tensors.update(adamw, lr, step, decay);
  }
}

void update_bf16_chunk(ShardedPart& part, const Span& chunk, bool decay, const AdamW& adamw, double lr,
                       int64_t step) {
  const at::Tensor kept1 = part.state().moment1.narrow(0, chunk.begin, chunk.size());
  const at::Tensor kept2 = part.state().moment2.narrow(0, chunk.begin, chunk.size());
  const at::Tensor moment1 = kept1.to(at::kFloat), moment2 = kept2.to(at::kFloat);
  Tensors tensors;
  tensors.add(part, chunk, moment1, moment2);
  tensors.update(adamw, lr, step, decay);
  const auto& cut = part.parameters().front().cut;
  const auto piece = cut ? static_cast<uint64_t>(cut->pieces.front().begin) + 1 : 0;
  const uint64_t key = mix_seed({adamw.seed, static_cast<uint64_t>(step), seed_of(part.block()), piece});
  const at::Tensor bits = random_bits(key, part.owned().begin + chunk.begin, chunk.size(), kept1.device());
  round_to_bf16(moment1, at::bitwise_and(bits, 0xffff), kept1);
  round_to_bf16(moment2, at::bitwise_right_shift(bits, 16).bitwise_and_(0xffff), kept2);
}

void update_bf16(ShardedPart& part, const AdamW& adamw, double lr, int64_t step) {
  for (const auto& [span, decay] : part.stretches()) {
    for (int64_t begin = span.begin; begin < span.end; begin += chunk_elements) {
      update_bf16_chunk(part, {begin, std::min(begin + chunk_elements, span.end)}, decay, adamw, lr, step);
    }
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
  RECORD_FUNCTION("graticule::update", std::vector<c10::IValue>());
  const Accounted booked(Account::optimizer);
  const at::NoGradGuard no_grad;
  for (auto* part : chain.parts()) {
    if (part->owned().empty()) continue;
    part->owned_gradient().mul_(scale);
    const bool rounds = part->state().moment1.scalar_type() == at::kBFloat16;
    rounds ? update_bf16(*part, adamw, lr, step) : update_fp32(*part, adamw, lr, step);
  }
  chain.refresh();
}

}  // namespace graticule

#include "graticule/train/step.h"

#include "graticule/core/trace.h"
#include "graticule/train/loss.h"
#include "graticule/train/optimizer.h"
#include "graticule/train/schedule.h"

namespace graticule {

namespace {

// A part of the samples of a batch, on the device of the weights.
Batch micro_batch(const Batch& batch, const Span& part, const at::Device& device) {
  const auto cut = [&](const at::Tensor& all) { return all.narrow(0, part.begin, part.size()).to(device); };
  return {cut(batch.input_BTKP),
          cut(batch.target_BTKP),
          cut(batch.weight_BTKP),
          cut(batch.lead_hours_B),
          {batch.times.begin() + part.begin, batch.times.begin() + part.end},
          {batch.sample_ids.begin() + part.begin, batch.sample_ids.begin() + part.end}};
}

}  // namespace

StepResult train_step(Run& run, bool stop) {
  const TrainOptions& train = run.options.train;
  const Batch batch = run.loader->next();
  const int64_t samples = batch.input_BTKP.size(0), micro_batches = run.options.parallel.micro_batches;
  const at::Device device = run.chain.blocks().front().state().master.device();

  run.chain.zero_gradients();
  at::Tensor totals = at::zeros({3}, at::kDouble);  // squared error, weight, wishes to stop
  totals[2] = stop ? 1 : 0;
  for (int64_t m = 0; m < micro_batches; ++m) {
    const Batch part = micro_batch(batch, span_of(samples, micro_batches, m), device);
    const Inputs inputs{part.lead_hours_B, part.sample_ids, static_cast<uint64_t>(train.seed), true};
    const auto loss = [&](const at::Tensor& prediction) {
      return squared_error_sum(prediction, part.target_BTKP, part.weight_BTKP);
    };
    totals[0] +=
        run.chain.train(part.input_BTKP, inputs, loss, m + 1 == micro_batches).to(at::kCPU, at::kDouble);
    totals[1] += part.weight_BTKP.sum(at::kDouble).cpu();
  }
  run.chain.finish_reduce();
  totals = run.mesh.replicas.all_reduce(totals).wait();

  StepResult result;
  const double weight = totals[1].item<double>();
  result.loss = totals[0].item<double>() / weight;
  result.stop = totals[2].item<double>() > 0;
  result.gradient_norm =
      std::sqrt(gradient_square_sum(run.chain, run.options.parallel.shard, run.mesh.replicas)) / weight;
  result.lr = learning_rate(train.lr, train.min_lr, train.warmup, train.steps, run.step);
  const bool clipped = train.clip > 0 && result.gradient_norm > train.clip;
  const double scale = (clipped ? train.clip / result.gradient_norm : 1) / weight;
  update(run.chain, {train.beta1, train.beta2, train.epsilon, train.weight_decay}, result.lr, scale,
         ++run.step);
  return result;
}

}  // namespace graticule

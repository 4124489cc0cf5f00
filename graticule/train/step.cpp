#include "graticule/train/step.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/zeros.h>

#include "graticule/core/error.h"
#include "graticule/core/ledger.h"
#include "graticule/train/learning_rate.h"
#include "graticule/train/loss.h"
#include "graticule/train/optimizer.h"

namespace graticule {

namespace {

// A part of a batch's samples, on the device of the weights.
Batch micro_batch(const Batch& batch, const Span& part, const at::Device& device) {
  const Accounted booked(Account::data);
  const auto cut = [&](const at::Tensor& all) { return all.narrow(0, part.begin, part.size()).to(device); };
  return {cut(batch.input_BTKP),
          cut(batch.target_BTKP),
          cut(batch.weight_BTKP),
          cut(batch.lead_hours_B),
          {batch.times.begin() + part.begin, batch.times.begin() + part.end},
          {batch.sample_ids.begin() + part.begin, batch.sample_ids.begin() + part.end}};
}

// The next batch in which some target has a value on some rank. With missing = "mean", all targets of a step
// may be missing. Its loss would be 0/0, so the step is skipped.
Batch next_that_counts(Run& run) {
  const int64_t first = run.loader->position();
  while (true) {
    Batch batch = run.loader->next();
    if (run.options.data.missing == Missing::refuse) return batch;
    const at::Tensor counts =
        (run.chain.last_stage() ? weight_sum(batch.weight_BTKP) : at::zeros({}, at::kDouble)).view({1});
    if (run.mesh.world.all_reduce(counts).wait().item<double>() > 0) return batch;
    const int64_t passed = run.loader->position() - first;
    if (passed < run.loader->samples_an_epoch()) continue;
    fail("train", "in ", passed, " samples in a row no target has a value to learn from, at step ",
         run.step + 1, ": data.train has ", run.loader->samples_an_epoch(),
         " samples; widen it, or choose other targets");
  }
}

}  // namespace

at::Tensor step_on(const Batch& batch, Chain& chain, const Mesh& mesh, const Options& options, int64_t update,
                   bool stop) {
  const TrainOptions& train = options.train;
  const int64_t samples = batch.input_BTKP.size(0), count = options.parallel.micro_batches;
  chain.zero_gradients();
  std::vector<MicroBatch> micro_batches;
  at::Tensor totals = at::zeros({3}, at::TensorOptions(at::kDouble).device(chain.device()));
  for (int64_t m = 0; m < count; ++m) {
    Batch part = micro_batch(batch, span_of(samples, count, m), chain.device());
    if (chain.last_stage()) totals[1] += weight_sum(part.weight_BTKP);
    micro_batches.push_back(
        {part.input_BTKP,
         {part.lead_hours_B, part.sample_ids, static_cast<uint64_t>(train.seed), true, nullptr},
         [target = part.target_BTKP, weight = part.weight_BTKP](const at::Tensor& prediction) {
           return squared_error_sum(prediction, target, weight);
         }});
  }
  totals[0] += chain.train(micro_batches);
  totals[2] += stop ? 1 : 0;
  chain.finish_reduce();

  // Each rank's squared error, weight and wish to stop, summed over all ranks at once. Nothing is read back
  // to the host before the update.
  totals = mesh.world.all_reduce(totals).wait();
  const at::Tensor norm = gradient_square_sum(chain, mesh.world).sqrt() / totals[1];
  const at::Tensor clip = train.clip > 0 ? (train.clip / norm).clamp_max(1) : at::ones_like(norm);
  graticule::update(
      chain, {train.beta1, train.beta2, train.epsilon, train.weight_decay, static_cast<uint64_t>(train.seed)},
      learning_rate(train.lr, train.min_lr, train.warmup, train.steps, update - 1), clip / totals[1], update);
  return at::cat({totals, norm.view({1})});
}

StepResult train_step(Run& run, bool stop) {
  const TrainOptions& train = run.options.train;
  StepResult result;
  result.lr = learning_rate(train.lr, train.min_lr, train.warmup, train.steps, run.step);
  const at::Tensor told =
      step_on(next_that_counts(run), run.chain, run.mesh, run.options, ++run.step, stop).cpu();
  result.loss = told[0].item<double>() / told[1].item<double>();
  result.stop = told[2].item<double>() > 0;
  result.gradient_norm = told[3].item<double>();
  return result;
}

}  // namespace graticule

#include "graticule/train/step.h"

#include <cmath>

#include "graticule/core/error.h"
#include "graticule/core/ledger.h"
#include "graticule/train/average.h"
#include "graticule/train/bad_step.h"
#include "graticule/train/learning_rate.h"
#include "graticule/train/optimizer.h"
#include "graticule/train/task.h"

namespace graticule {

namespace {

// A part of a batch's samples, on the device of the weights.
Batch micro_batch(const Batch& batch, const Span& part, const at::Device& device) {
  const Accounted booked(Account::data);
  const auto cut = [&](const at::Tensor& all) { return all.narrow(0, part.begin, part.size()).to(device); };
  const auto cut_list = [&](const std::vector<int64_t>& all) {
    return std::vector<int64_t>(all.begin() + part.begin, all.begin() + part.end);
  };
  Batch micro{cut(batch.input_BTKI),   cut(batch.target_BTKP), cut(batch.weight_BTKP),
              cut(batch.lead_hours_B), cut_list(batch.times),  cut_list(batch.sample_ids)};
  micro.visible = batch.visible;
  if (batch.unit_BTKP.defined()) micro.unit_BTKP = cut(batch.unit_BTKP);
  for (const LaterStep& step : batch.later) {
    micro.later.push_back(
        {cut_list(step.times), cut(step.given_BTKP), cut(step.target_BTKP), cut(step.weight_BTKP)});
  }
  return micro;
}

// The next batch in which some target has a value on some rank. With missing = "mean", all targets of a step
// may be missing, and labels may always be. Its loss would be 0/0, so the step is skipped.
Batch next_that_counts(Run& run) {
  const int64_t first = run.loader->position();
  while (true) {
    Batch batch = run.loader->next();
    if (run.options.data.missing == Missing::refuse && run.options.task.labels.empty()) return batch;
    at::Tensor counts = batch.weight_BTKP.new_zeros({1}, at::kDouble);
    if (run.chain.last_stage()) counts.add_(task_of(run.options).weight(batch));
    if (run.mesh.world.all_reduce(counts).wait().item<double>() > 0) return batch;
    const int64_t passed = run.loader->position() - first;
    if (passed < run.loader->samples_an_epoch()) continue;
    fail("train", "in ", passed, " samples in a row no target has a value to learn from, at step ",
         run.step + 1, ": data.train has ", run.loader->samples_an_epoch(),
         " samples; widen it, or choose other targets");
  }
}

}  // namespace

at::Tensor gradients_on(const Batch& batch, Chain& chain, const Mesh& mesh, const Options& options,
                        bool stop) {
  const int64_t samples = batch.input_BTKI.size(0), count = options.parallel.micro_batches;
  const Task& task = task_of(options);
  chain.zero_gradients();
  std::vector<Batch> parts;
  // Squared error, weight, and wish to stop.
  const at::Tensor mine =
      batch.input_BTKI.new_zeros({3}, at::TensorOptions(at::kDouble).device(chain.device()));
  const at::Tensor my_error = mine.select(0, 0), my_weight = mine.select(0, 1), my_stop = mine.select(0, 2);
  for (int64_t m = 0; m < count; ++m) {
    parts.push_back(micro_batch(batch, span_of(samples, count, m), chain.device()));
    if (chain.last_stage()) my_weight.add_(task.weight(parts.back()));
  }
  my_error.add_(task.train(chain, parts, options, mesh));
  my_stop.add_(stop ? 1 : 0);
  chain.finish_reduce();

  // One sum over all ranks.
  const at::Tensor totals = mesh.world.all_reduce(mine).wait();
  at::Tensor told = totals.new_empty({4});
  told.narrow(0, 0, 3).copy_(totals);
  told.select(0, 3).copy_(gradient_square_sum(chain, mesh.world).sqrt().div(totals.select(0, 1)));
  return told;
}

void update_on(const at::Tensor& told, Chain& chain, const Options& options, int64_t update) {
  const TrainOptions& train = options.train;
  const at::Tensor weight = told.select(0, 1), norm = told.select(0, 3);
  const at::Tensor clip = train.clip > 0 ? norm.new_full(norm.sizes(), train.clip).div_(norm).clamp_max(1)
                                         : norm.new_ones(norm.sizes());
  graticule::update(
      chain, {train.beta1, train.beta2, train.epsilon, train.weight_decay, static_cast<uint64_t>(train.seed)},
      learning_rate(train.lr, train.min_lr, train.warmup, train.steps, update - 1), clip.div(weight), update);
  update_average(chain, train.ema, update);
}

at::Tensor step_on(const Batch& batch, Chain& chain, const Mesh& mesh, const Options& options, int64_t update,
                   bool stop) {
  at::Tensor told = gradients_on(batch, chain, mesh, options, stop);
  update_on(told, chain, options, update);
  return told;
}

StepResult train_step(Run& run, bool stop) {
  const TrainOptions& train = run.options.train;
  StepResult result;
  result.lr = learning_rate(train.lr, train.min_lr, train.warmup, train.steps, run.step);
  const Batch batch = next_that_counts(run);
  const at::Tensor told = gradients_on(batch, run.chain, run.mesh, run.options, stop);
  const at::Tensor on_host = told.cpu();
  const auto number = [&](int64_t i) { return on_host.select(0, i).item<double>(); };
  result.loss = number(0) / number(1);
  result.stop = number(2) > 0;
  result.gradient_norm = number(3);
  // All ranks have the same numbers, so all of them decide alike.
  if (!std::isfinite(result.loss) || !std::isfinite(result.gradient_norm)) {
    result.bad = origin_of_bad(run, batch);
    return result;
  }
  if (const auto usual = run.spikes.note(result.loss))
    result.spike = text("step ", run.step + 1, ": the loss jumps to ", result.loss, ", usual is ", *usual,
                        "; ", largest_part(run, batch));
  if (run.before_update) run.before_update();
  update_on(told, run.chain, run.options, ++run.step);
  return result;
}

}  // namespace graticule

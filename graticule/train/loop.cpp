#include "graticule/train/loop.h"

#include <ATen/ops/tensor.h>

#include <chrono>

#include "graticule/core/error.h"
#include "graticule/train/average.h"
#include "graticule/train/checkpoint.h"
#include "graticule/train/evaluate.h"
#include "graticule/train/history.h"
#include "graticule/train/memory.h"
#include "graticule/train/run_log.h"
#include "graticule/train/step.h"
#include "graticule/train/stop_signal.h"
#include "graticule/train/validation.h"

namespace graticule {

namespace {

// A short evaluation during training: the first lead, few samples, no baselines. It scores the average of the
// weights if the run has one, because `eval` will.
Evaluation evaluate_on_valid(Run& run, const World& world, RunLog* log) {
  const auto& valid = run.options.data.valid;
  EvaluationOptions options;
  options.range = parse_time_range(valid[0], valid[1], run.source->catalog().calendar);
  options.max_samples = run.options.run.eval_samples;
  options.baselines = false;
  const bool averages = run.options.train.ema > 0;
  if (averages) exchange_average(run.chain);
  const Evaluation evaluation = evaluate(run, world, options);
  if (averages) exchange_average(run.chain);
  if (log) log->evaluation(run.step, evaluation);
  for (size_t i = 0; log && i < evaluation.gaps.size(); ++i) log->say(evaluation.gaps[i]);
  return evaluation;
}

// Whether the validation score did not improve for as long as the recipe waits.
bool is_over(const Run& run) {
  const int64_t patience = run.options.train.patience;
  return patience > 0 && run.validation.without >= patience;
}

// Notes the score of an evaluation. Returns whether it is the best so far: rank 0 decides for all.
bool note_evaluation(Run& run, const Evaluation& evaluation, RunLog* log) {
  const at::Tensor score = at::tensor({validation_score(run, evaluation)}, at::kDouble);
  Validation& validation = run.validation;
  const bool better =
      note_score(validation, run.mesh.world.broadcast(score, 0).wait().item<double>(), run.step);
  if (log) log->validation(run.step, score.item<double>(), validation);
  return better;
}

bool is_due(int64_t step, int64_t every) { return every > 0 && step % every == 0; }

// The largest peak of any rank's process and of any rank's tensors.
std::pair<int64_t, int64_t> largest_peaks(const Ledger& ledger, const Group& everyone) {
  const at::Tensor peaks =
      everyone.all_reduce(at::tensor({peak_memory_bytes(), ledger.peak().total()}, at::kLong), Reduction::max)
          .wait();
  return {peaks[0].item<int64_t>(), peaks[1].item<int64_t>()};
}

[[noreturn]] void fail_at_no_number(const StepResult& result, int64_t step) {
  fail("train", "the loss is ", result.loss, " and the gradient norm ", result.gradient_norm, " at step ",
       step, ": lower train.lr or set train.clip, and go on with --resume auto from the last checkpoint");
}

}  // namespace

bool train(Run& run, const World& world, bool json, const Ledger& ledger) {
  const Options& options = run.options;
  const StopSignal signal;
  std::optional<RunLog> log;
  agree(world, run.mesh.world, [&] {
    if (world.rank == 0)
      log.emplace(options.run.out, options.train.loss_weights.any() ? "weighted loss" : "loss", json);
    if (options.run.eval_every > 0 && options.data.valid.empty()) {
      refuse("run", "run.eval_every = ", options.run.eval_every, " needs data.valid, [first, last]");
    }
  });
  const auto tokens_a_step = static_cast<double>(options.data.batch * run.shape.grid.tokens());
  bool stopped = false;
  int64_t saved_step = run.parent.empty() ? -1 : run.step;  // the resumed one is on the disk
  const auto save = [&] {
    if (saved_step == run.step) return;
    const std::vector<std::string> told = save_checkpoint(run, world);
    saved_step = run.step;
    if (!log) return;
    log->say(text("checkpoint ", run.parent));
    for (const std::string& sentence : told) log->say(sentence);
  };
  // Evaluates. With train.patience, the checkpoint of the best score is kept.
  const auto validate = [&] {
    const Evaluation evaluation = evaluate_on_valid(run, world, log ? &*log : nullptr);
    if (options.train.patience == 0 || !note_evaluation(run, evaluation, log ? &*log : nullptr)) return;
    if (saved_step != run.step) return save();
    agree(world, run.mesh.world, [&] {
      if (world.rank == 0) name_best(options.run.out, run.step);
    });
  };
  // A signal may have come before the evaluation of the resumed step.
  if (options.train.patience > 0 && run.step > run.validation.evaluated &&
      is_due(run.step, options.run.eval_every))
    validate();
  if (log && run.step >= options.train.steps)
    log->say(text("nothing to train: ", run.step, " steps were made, train.steps = ", options.train.steps,
                  "; raise train.steps to continue"));
  while (run.step < options.train.steps && !stopped && !is_over(run)) {
    const auto start = std::chrono::steady_clock::now();
    world.watch->set_step(run.step + 1);
    const StepResult result = train_step(run, signal.raised());
    if (world.watch->keeps_order()) check_order(run.mesh);
    stopped = result.stop;
    if (!std::isfinite(result.loss) || !std::isfinite(result.gradient_norm)) {
      agree(world, run.mesh.world, [&] { fail_at_no_number(result, run.step); });  // equal on all ranks
    }
    if (is_due(run.step, options.run.log_every) || run.step == options.train.steps || stopped) {
      const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
      const auto [resident, tensors] = largest_peaks(ledger, run.mesh.world);
      const double waited = run.loader->take_waited_seconds();
      if (log)
        log->step(run.step, options.train.steps, result,
                  {elapsed.count(), tokens_a_step / elapsed.count(), waited, resident, tensors});
    }
    if (is_due(run.step, options.run.eval_every) && !stopped) validate();
    if (is_due(run.step, options.run.checkpoint_every)) save();
  }
  save();
  if (is_over(run) && log)
    log->say(text("ended after step ", run.step, ": ", run.validation.without,
                  " evaluations without a better score than that of step ", run.validation.best_step, " (",
                  options.run.out, "/checkpoints/best); raise train.patience to go on"));
  if (stopped && log)
    log->say(text("stopped by a signal after step ", run.step, "; go on with --resume auto"));
  return !stopped;
}

}  // namespace graticule

#include "graticule/train/loop.h"

#include <ATen/ops/tensor.h>

#include <chrono>
#include <limits>

#include "graticule/core/error.h"
#include "graticule/train/average.h"
#include "graticule/train/checkpoint_writer.h"
#include "graticule/train/history.h"
#include "graticule/train/memory.h"
#include "graticule/train/ranges.h"
#include "graticule/train/recover.h"
#include "graticule/train/run_log.h"
#include "graticule/train/step.h"
#include "graticule/train/stop_signal.h"
#include "graticule/train/task.h"
#include "graticule/train/validation.h"
#include "graticule/train/verify_block.h"

namespace graticule {

namespace {

// The validation score. It is that of the average of the weights if the run has one, because `eval` will score it.
double score_on_valid(Run& run, const World& world, RunLog* log) {
  const bool averages = run.options.train.ema > 0;
  if (averages) exchange_average(run.chain);
  const double score = task_of(run.options).validate(run, world, log);
  if (averages) exchange_average(run.chain);
  return score;
}

// Whether the validation score did not improve for as long as the recipe waits.
bool is_over(const Run& run) {
  const int64_t patience = run.options.train.patience;
  return patience > 0 && run.validation.without >= patience;
}

// Notes the score of an evaluation. Returns whether it is the best so far: rank 0 decides for all.
bool note_evaluation(Run& run, double value, RunLog* log) {
  const at::Tensor score = at::tensor({value}, at::kDouble);
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

// The part of the memory that training leaves free which the copy of a checkpoint may take: the first evaluation may
// need the rest.
constexpr double part_for_copy = 0.75;

// Bytes for the copy of a checkpoint, after a step of training.
int64_t memory_for_copy(const Ledger& ledger, std::optional<int64_t> limit) {
  if (!limit) return std::numeric_limits<int64_t>::max();
  return static_cast<int64_t>(part_for_copy *
                              static_cast<double>(std::max<int64_t>(0, *limit - ledger.peak().total())));
}

}  // namespace

bool train(Run& run, const World& world, bool json, const Ledger& ledger, std::optional<int64_t> limit) {
  const Options& options = run.options;
  const StopSignal signal;
  std::optional<RunLog> log;
  agree(world, run.mesh.world, [&] {
    if (world.rank == 0)
      log.emplace(options.run.out, options.train.loss_weights.any() ? "weighted loss" : "loss", json);
    if (options.run.eval_every > 0 && !has_part(options.data, SplitPart::valid, run.source->catalog())) {
      refuse("run", "run.eval_every = ", options.run.eval_every, " needs data.valid, [first, last]");
    }
  });
  const auto tokens_a_step = static_cast<double>(options.data.batch * run.shape.grid.tokens());
  bool stopped = false;
  Recovered recovered;
  int64_t saved_step = run.parent.empty() ? -1 : run.step;  // the resumed one is on the disk
  std::optional<CheckpointWriter> writer;  // made at the first checkpoint, when the peak of a step is known
  const auto finish = [&] {
    if (!writer || !writer->under_way()) return;
    for (const std::string& sentence : writer->finish(run)) {
      if (log) log->say(sentence);
    }
    recovered.rewinds = 0;
  };
  const auto save = [&](bool goes_on) {
    if (saved_step == run.step) return;
    finish();  // a second checkpoint waits for the first
    if (!writer) writer.emplace(world, memory_for_copy(ledger, limit));
    writer->begin(run, goes_on);
    saved_step = run.step;
  };
  run.before_update = [&] {
    if (writer) writer->wait_copied();
  };
  // Evaluates. With train.patience, the checkpoint of the best score is kept.
  const auto validate = [&] {
    run.before_update();  // the average of the weights takes their place
    const double score = score_on_valid(run, world, log ? &*log : nullptr);
    if (options.train.patience == 0 || !note_evaluation(run, score, log ? &*log : nullptr)) return;
    if (saved_step != run.step) return save(true);
    finish();
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
    if (!result.bad.empty()) {
      finish();
      if (!stopped) recover(run, world, result, recovered, log);
      continue;
    }
    recovered.in_a_row = 0;
    if (log && !result.spike.empty()) log->say(result.spike);
    if (is_due(run.step, options.run.log_every) || run.step == options.train.steps || stopped) {
      const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
      const auto [resident, tensors] = largest_peaks(ledger, run.mesh.world);
      const double waited = run.loader->take_waited_seconds();
      if (log)
        log->step(run.step, options.train.steps, result,
                  {elapsed.count(), tokens_a_step / elapsed.count(), waited, resident, tensors});
    }
    if (is_due(run.step, options.train.verify_every))
      verify_block(run, world, run.step / options.train.verify_every, probe_of(run));
    if (is_due(run.step, options.run.eval_every) && !stopped) validate();
    if (writer && writer->under_way() && writer->all_written(run)) finish();
    if (is_due(run.step, options.run.checkpoint_every)) save(run.step < options.train.steps && !stopped);
  }
  save(false);
  finish();
  run.before_update = {};
  if (is_over(run) && log)
    log->say(text("ended after step ", run.step, ": ", run.validation.without,
                  " evaluations without a better score than that of step ", run.validation.best_step, " (",
                  options.run.out, "/checkpoints/best); raise train.patience to go on"));
  if (stopped && log)
    log->say(text("stopped by a signal after step ", run.step, "; go on with --resume auto"));
  return !stopped;
}

}  // namespace graticule

#include "graticule/train/recover.h"

#include <cmath>

#include "graticule/core/error.h"
#include "graticule/train/checkpoint.h"

namespace graticule {

namespace {

constexpr int64_t most_in_a_row = 10, most_rewinds = 3;

// A NaN may have a sign, which means nothing.
std::string in_words(double number) { return std::isnan(number) ? "nan" : text(number); }

std::string what_happened(const Run& run, const StepResult& result) {
  return text("the loss is ", in_words(result.loss), " and the gradient norm ",
              in_words(result.gradient_norm), " at step ", run.step + 1, ": ", result.bad);
}

// The way out of a fault that the rule cannot mend.
[[noreturn]] void give_up(const Run& run, const StepResult& result, const std::string& why) {
  fail(
      "train", what_happened(run, result), "; ", why,
      ": nothing was updated; mend the data, or lower train.lr or set train.clip, and go on with --resume auto from the last checkpoint");
}

void rewind(Run& run, const StepResult& result, std::optional<RunLog>& log) {
  const int64_t bad_step = run.step + 1;
  const std::string happened = what_happened(run, result);
  const CheckpointInfo info = read_checkpoint_info(run.parent);
  load_checkpoint(info, run.chain, Taken::state);
  run.step = info.step;
  run.validation = info.validation;
  if (!log) return;
  log->say(text(happened, "; goes back to ", run.parent,
                " (train.on_bad = \"rewind\"), and on with the samples after step ", bad_step));
  log->rewind(run.parent, run.step);
  log->bad(bad_step, "rewound", result);
}

}  // namespace

void recover(Run& run, const World& world, const StepResult& result, Recovered& recovered,
             std::optional<RunLog>& log) {
  const OnBad rule = run.options.train.on_bad;
  ++recovered.in_a_row;
  agree(world, run.mesh.world, [&] {
    if (rule == OnBad::stop) give_up(run, result, "train.on_bad = \"stop\"");
    if (rule == OnBad::skip) {
      if (recovered.in_a_row == most_in_a_row)
        give_up(run, result,
                text(most_in_a_row, " steps in a row were passed over (train.on_bad = \"skip\")"));
      if (!log) return;
      log->say(what_happened(run, result) + "; its samples are passed over (train.on_bad = \"skip\")");
      log->bad(run.step + 1, "skipped", result);
    }
    if (rule == OnBad::rewind) {
      if (run.parent.empty())
        give_up(run, result,
                "train.on_bad = \"rewind\" finds no checkpoint of this run (set run.checkpoint_every)");
      if (++recovered.rewinds > most_rewinds)
        give_up(run, result,
                text("the run went back to ", run.parent, " ", most_rewinds,
                     " times (train.on_bad = \"rewind\")"));
      rewind(run, result, log);
    }
  });
}

}  // namespace graticule

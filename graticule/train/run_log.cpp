#include "graticule/train/run_log.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <limits>
#include <nlohmann/json.hpp>

#include "graticule/core/error.h"
#include "graticule/core/terminal.h"
#include "graticule/train/history.h"

namespace graticule {

namespace {

std::string duration(double seconds) {
  const int64_t whole = std::llround(seconds);
  if (whole >= 3600) return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
  if (whole >= 60) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} s", whole);
}

std::ofstream append_to(const std::string& path) {
  std::ofstream file(path, std::ios::app);
  if (!file) fail("run", path, " cannot be written: choose another run.out");
  return file;
}

// JSON has no NaN, so a score that is not defined becomes null.
nlohmann::json number(double value) {
  return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json(nullptr);
}

}  // namespace

nlohmann::json to_json(const ScoreLine& line) {
  return {{"variable", line.variable},       {"lead_hours", line.lead_hours}, {"forecast", line.forecast},
          {"rmse", number(line.score.rmse)}, {"acc", number(line.score.acc)}, {"units", line.units}};
}

nlohmann::json to_json(const TaskScore& score) {
  return {{"of", score.of},
          {"measure", score.measure},
          {"forecast", score.forecast},
          {"value", number(score.value)},
          {"units", score.units}};
}

RunLog::RunLog(const std::string& folder, std::string loss, bool json)
    : folder_(folder),
      loss_(std::move(loss)),
      terminal_(isatty(STDOUT_FILENO) != 0),
      json_(json),
      metrics_(append_to(folder + "/metrics.jsonl")),
      log_(append_to(folder + "/log.txt")),
      events_(folder) {}

void RunLog::line(const std::string& json_text) {
  metrics_ << json_text << std::endl;
  if (!metrics_)
    fail("run", "metrics.jsonl cannot be written: free space on its disk, and go on with --resume auto");
  if (json_) show(json_text + "\n");
}

// Errors are ignored: a closed terminal must not end the training before its checkpoint is written. The files
// contain everything that is shown.
void RunLog::show(const std::string& characters) const {
  if (std::fputs(characters.c_str(), stdout) == EOF || std::fflush(stdout) != 0) std::clearerr(stdout);
}

void RunLog::step(int64_t step, int64_t steps, const StepResult& result, const StepMeasures& measures) {
  line(nlohmann::json{{"step", step},
                      {"loss", result.loss},
                      {"lr", result.lr},
                      {"grad_norm", result.gradient_norm},
                      {"tokens_per_s", measures.tokens_per_s},
                      {"step_s", measures.step_s},
                      {"data_wait_s", measures.waited_s},
                      {"memory_bytes", measures.memory_bytes},
                      {"tensor_peak_bytes", measures.tensor_peak_bytes}}
           .dump());
  events_.scalar("train/loss", step, result.loss);
  events_.scalar("train/lr", step, result.lr);
  events_.scalar("train/grad_norm", step, result.gradient_norm);
  events_.scalar("train/tokens_per_s", step, measures.tokens_per_s);
  if (json_) return;
  // The most wanted parts come first: a narrow terminal shows only those that fit.
  const std::vector<std::string> parts = {
      fmt::format("step {:>{}}/{}", step, fmt::format("{}", steps).size(), steps),
      fmt::format("{} {:.5f}", loss_, result.loss),
      duration(measures.step_s * static_cast<double>(steps - step)) + " left",
      fmt::format("{:.2f} s/step", measures.step_s),
      fmt::format("{:.0f} tokens/s", measures.tokens_per_s),
      fmt::format("grad {:.3f}", result.gradient_norm)};
  const std::string progress = joined_parts(parts, std::numeric_limits<size_t>::max());
  // On a terminal, one line is rewritten. In a file, a line is written after each twentieth of the steps.
  const bool milestone = step == steps || step % std::max<int64_t>(1, steps / 20) == 0;
  if (milestone) log_ << progress << std::endl;
  if (terminal_) {
    const std::string row = joined_parts(parts, row_width(STDOUT_FILENO));
    show(fmt::format("\r\033[K{}{}", row, step == steps ? "\n" : ""));
  }
  if (!terminal_ && milestone) show(progress + "\n");
}

void RunLog::evaluation(int64_t step, const Evaluation& evaluation) {
  for (const ScoreLine& score : evaluation.lines) {
    nlohmann::json object = to_json(score);
    object["step"] = step;
    object["kind"] = "evaluation";
    line(object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));  // units need not be UTF-8
    events_.scalar(text("valid/", score.variable, "/rmse_", score.lead_hours, "h"), step, score.score.rmse);
  }
}

void RunLog::scores(int64_t step, const std::vector<TaskScore>& scores) {
  for (const TaskScore& score : scores) {
    nlohmann::json object = to_json(score);
    object["step"] = step;
    object["kind"] = "score";
    line(object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));  // units need not be UTF-8
    events_.scalar(text("valid/", score.of, "/", score.measure), step, score.value);
  }
}

void RunLog::validation(int64_t step, double score, const Validation& validation) {
  line(nlohmann::json{
      {"step", step}, {"kind", "validation"}, {"score", number(score)}, {"best_step", validation.best_step}}
           .dump());
  events_.scalar("valid/score", step, score);
  say(validation.best_step == step
          ? fmt::format("validation score {:.5f} at step {}: the best so far", score, step)
          : fmt::format("validation score {:.5f} at step {}: {} without a better one than {:.5f} at step {}",
                        score, step, validation.without, validation.best, validation.best_step));
}

void RunLog::bad(int64_t step, const std::string& kind, const StepResult& result) {
  line(nlohmann::json{
      {"step", step}, {"kind", kind}, {"bad_loss", number(result.loss)}, {"origin", result.bad}}
           .dump());
}

void RunLog::rewind(const std::string& parent, int64_t step) {
  metrics_.close();
  start_record(folder_, parent, step);
  metrics_ = append_to(folder_ + "/metrics.jsonl");
}

void RunLog::say(const std::string& sentence) {
  log_ << sentence << std::endl;
  if (!json_) show(text(terminal_ ? "\r\033[K" : "", sentence, "\n"));
}

}  // namespace graticule

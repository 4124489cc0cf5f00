#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/job.h"
#include "cli/trained_run.h"
#include "graticule/core/error.h"
#include "graticule/train/aside_file.h"
#include "graticule/train/evaluate.h"
#include "graticule/train/history.h"
#include "graticule/train/ranges.h"
#include "graticule/train/run_log.h"
#include "graticule/train/task.h"

namespace graticule {

namespace {

struct EvalArguments {
  TrainedRunChoice trained;
  std::string out, convention = "wb2";
  std::vector<std::string> range;
  int64_t steps = 1, samples = 0;
  std::optional<int64_t> lead;
  bool by_date = false, json = false;
};

nlohmann::json scores_json(const Evaluation& evaluation, const EvalArguments& arguments,
                           const CheckpointInfo& checkpoint, Calendar calendar) {
  const bool averaged = checkpoint.options.train.ema > 0 && !arguments.trained.raw_weights;
  nlohmann::json scores = {{"convention", arguments.convention},
                           {"checkpoint", checkpoint.path},
                           {"weights", averaged ? "average" : "raw"},
                           {"lead_hours", evaluation.lead_hours},
                           {"steps", arguments.steps},
                           {"samples", evaluation.initial_times.size()},
                           {"climatology", evaluation.climatology},
                           {"gaps", evaluation.gaps},
                           {"scores", nlohmann::json::array()}};
  for (const ScoreLine& line : evaluation.lines) {
    scores["scores"].push_back(to_json(line));
    if (!arguments.by_date) continue;
    scores["scores"].back()["mse"] = line.by_time.mse;  // a NaN becomes null
    scores["scores"].back()["acc_by_date"] = line.by_time.acc;
  }
  for (const int64_t time : evaluation.initial_times) {
    if (arguments.by_date) scores["dates"].push_back(format_time(time, calendar));
  }
  return scores;
}

// Bytes of paths and units that are not UTF-8 are replaced, because JSON must be UTF-8.
std::string as_text(const nlohmann::json& json, int indent) {
  return json.dump(indent, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string acc_text(double acc) { return std::isfinite(acc) ? fmt::format("{:.3f}", acc) : "-"; }
std::string rmse_text(double rmse) { return std::isfinite(rmse) ? fmt::format("{:.5g}", rmse) : "-"; }

// Prints one row for each variable and lead, with the three forecasts beside each other.
void print_table(const Evaluation& evaluation) {
  fmt::print("{:<32} {:>6}  {:>12} {:>12} {:>12}  {:>6}  {}\n", "variable", "lead h", "model", "persistence",
             "climatology", "ACC", "units");
  for (size_t i = 0; i + 2 < evaluation.lines.size(); i += 3) {
    const ScoreLine& model = evaluation.lines[i];
    const double persistence = evaluation.lines[i + 1].score.rmse,
                 climatology = evaluation.lines[i + 2].score.rmse;
    // A score that is NaN is not better than any other.
    const bool beaten = persistence <= model.score.rmse || climatology <= model.score.rmse;
    fmt::print("{:<32} {:>6}  {:>12} {:>12} {:>12}  {:>6}  {}{}\n", model.variable, model.lead_hours,
               rmse_text(model.score.rmse), rmse_text(persistence), rmse_text(climatology),
               acc_text(model.score.acc), model.units, beaten ? "   (not the best)" : "");
  }
}

void show(const nlohmann::json& scores, const Evaluation& evaluation, const EvalArguments& arguments) {
  if (arguments.json) {
    fmt::print("{}\n", as_text(scores, -1));
    return;
  }
  fmt::print("RMSE over {} initial times, convention {}; climatology: {}\n", evaluation.initial_times.size(),
             arguments.convention, evaluation.climatology);
  print_table(evaluation);
}

void refuse_leads(const EvalArguments& arguments) {
  if (arguments.steps == 1 && !arguments.lead && arguments.convention == "wb2" && !arguments.by_date) return;
  refuse("eval", "--steps, --lead, --convention and --by-date are for forecasts: leave them out");
}

// The scores of a task that does not look ahead.
void score_samples(TrainedRun& trained, const EvalArguments& arguments, const TimeRange& range,
                   const std::string& out, const World& world, const Group& everyone) {
  agree(world, everyone, [&] { refuse_leads(arguments); });
  const auto scores = task_of(trained.run.options)
                          .scores(trained.run, world, {range, arguments.samples, arguments.trained.tiles});
  agree(world, everyone, [&] {
    if (world.rank != 0) return;
    nlohmann::json json = {{"task", name_of(trained.run.options.task.kind)},
                           {"checkpoint", trained.info.path},
                           {"scores", nlohmann::json::array()}};
    for (const TaskScore& score : scores) json["scores"].push_back(to_json(score));
    if (arguments.json) fmt::print("{}\n", as_text(json, -1));
    for (const TaskScore& score : scores) {
      if (!arguments.json)
        fmt::print("{:<32} {:<10} {:<12} {:>12}  {}\n", score.of, score.measure, score.forecast,
                   rmse_text(score.value), score.units);
    }
    std::fflush(stdout);
    write_whole(out, as_text(json, 1) + "\n", "eval");
    if (!arguments.json) fmt::print("scores written to {}\n", out);
  });
}

int run_eval(const EvalArguments& arguments, const World& world) {
  const Group everyone = group_of_all(world);
  std::string out = arguments.out;
  agree(world, everyone, [&] {
    if (world.rank != 0) return;
    if (out.empty()) out = run_folder_of(find_checkpoint(arguments.trained.checkpoint)) + "/scores.json";
    refuse_unwritable(out, "eval", "--out");
  });
  TrainedRun trained = load_trained_run(arguments.trained, world, everyone);
  EvaluationOptions options;
  agree(world, everyone, [&] {
    const DataOptions& data = trained.run.options.data;
    const Catalog& catalog = trained.run.source->catalog();
    if (arguments.range.empty() && !has_part(data, SplitPart::test, catalog))
      refuse("eval", "no times to score: give --range FIRST LAST, or data.test in the recipe");
    options.range = arguments.range.empty()
                        ? part_of_data(data, SplitPart::test, catalog)
                        : parse_time_range(arguments.range[0], arguments.range[1], catalog.calendar);
    options.lead_hours = arguments.lead;
    options.steps = arguments.steps;
    options.max_samples = arguments.samples;
    options.convention = convention_named(arguments.convention);
    if (options.steps < 1) refuse("eval", "--steps ", options.steps, ": at least 1");
  });
  if (!task_of(trained.run.options).looks_ahead()) {
    score_samples(trained, arguments, options.range, out, world, everyone);
    return 0;
  }
  const Evaluation evaluation = evaluate(trained.run, world, options);
  agree(world, everyone, [&] {
    if (world.rank != 0) return;
    const nlohmann::json scores =
        scores_json(evaluation, arguments, trained.info, trained.run.source->catalog().calendar);
    // Prints before writing, so that a full disk does not lose the scores.
    show(scores, evaluation, arguments);
    for (const std::string& gap : evaluation.gaps) fmt::print(stderr, "{}\n", gap);
    std::fflush(stdout);
    write_whole(out, as_text(scores, 1) + "\n", "eval");
    if (!arguments.json) fmt::print("scores written to {}\n", out);
  });
  return 0;
}

}  // namespace

void add_eval(CLI::App& app, Action& action) {
  auto* command =
      app.add_subcommand("eval", "Score a trained model, a forecast beside persistence and climatology");
  const auto arguments = std::make_shared<EvalArguments>();
  add_trained_run(*command, arguments->trained);
  add_tiles(*command, arguments->trained.tiles);
  command->add_option("--steps", arguments->steps, "Score so many steps of the lead, by roll-out")
      ->capture_default_str();
  command->add_option("--lead", arguments->lead, "One of the recipe's leads, in hours (default: its first)");
  command->add_option("--range", arguments->range, "First and last time (default: the recipe's data.test)")
      ->expected(2);
  command->add_option("--samples", arguments->samples, "Initial times, spread evenly; 0: all")
      ->capture_default_str();
  command->add_option("--convention", arguments->convention, "wb2, wb1 or climax")->capture_default_str();
  command->add_option("--out", arguments->out, "File for the scores (default: RUN/scores.json)");
  command->add_flag("--by-date", arguments->by_date,
                    "Also write squared error and correlation of each initial time to the scores file");
  command->add_flag("--json", arguments->json, "Print the scores as JSON");
  command->callback([&action, arguments] {
    action = [arguments] { return run_job([&](const World& world) { return run_eval(*arguments, world); }); };
  });
}

}  // namespace graticule

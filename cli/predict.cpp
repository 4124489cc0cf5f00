#include <iostream>

#include "cli/commands.h"
#include "cli/job.h"
#include "cli/trained_run.h"
#include "graticule/core/error.h"
#include "graticule/train/history.h"
#include "graticule/train/ranges.h"
#include "graticule/train/task.h"

namespace graticule {

namespace {

struct PredictArguments {
  TrainedRunChoice trained;
  std::string out;
  std::vector<std::string> samples;
  int64_t most = 0;
};

int run_predict(const PredictArguments& arguments, const World& world) {
  const Group everyone = group_of_all(world);
  TrainedRun trained = load_trained_run(arguments.trained, world, everyone);
  const Task& task = task_of(trained.run.options);
  TaskSamples samples;
  std::string out = arguments.out;
  agree(world, everyone, [&] {
    if (arguments.most < 0) refuse("predict", "--most ", arguments.most, ": at least 0, which means all");
    if (task.looks_ahead())
      refuse("predict", "the run is a forecast: write it with graticule forecast, from --init TIME");
    const DataOptions& data = trained.run.options.data;
    const Catalog& catalog = trained.run.source->catalog();
    if (arguments.samples.empty() && !has_part(data, SplitPart::test, catalog))
      refuse("predict", "no samples to predict: give --samples, or data.test in the recipe");
    samples.range = arguments.samples.empty() ? part_of_data(data, SplitPart::test, catalog)
                                              : times_named(arguments.samples, catalog, "--samples");
    samples.most = arguments.most;
    samples.tiles = arguments.trained.tiles;
    if (out.empty()) out = run_folder_of(trained.info.path) + "/" + task.predictions_name();
  });
  task.write_predictions(trained.run, world, samples, out);
  if (world.rank == 0) std::cout << "predictions written to " << out << "\n";
  return 0;
}

}  // namespace

void add_predict(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand("predict", "Write what a trained model says about samples");
  const auto arguments = std::make_shared<PredictArguments>();
  add_trained_run(*command, arguments->trained);
  add_tiles(*command, arguments->trained.tiles);
  command->add_option("--samples", arguments->samples,
                      "Samples as in data.test, such as 3 7-9 (default: the recipe's data.test)");
  command->add_option("--most", arguments->most, "The first so many samples; 0: all")->capture_default_str();
  command->add_option(
      "--out", arguments->out,
      "FILE.nc or DIR.zarr (default: RUN/predictions.zarr); of classify and regress FILE.csv");
  command->callback([&action, arguments] {
    action = [arguments] {
      return run_job([&](const World& world) { return run_predict(*arguments, world); });
    };
  });
}

}  // namespace graticule

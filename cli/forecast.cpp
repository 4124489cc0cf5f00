#include <algorithm>
#include <iostream>

#include "cli/commands.h"
#include "cli/job.h"
#include "cli/trained_run.h"
#include "graticule/core/error.h"
#include "graticule/train/forecast.h"

namespace graticule {

namespace {

struct ForecastArguments {
  std::string checkpoint, init, out, truth;
  std::vector<std::string> set;
  int64_t steps = 1;
};

int run_forecast(const ForecastArguments& arguments, const World& world) {
  const Group everyone = group_of_all(world);
  TrainedRun trained = load_trained_run(arguments.checkpoint, arguments.set, world, everyone);
  ForecastOptions options;
  agree(world, everyone, [&] {
    options.initial_time = parse_time(arguments.init);
    options.steps = arguments.steps;
    options.out = arguments.out.empty() ? run_folder_of(trained.info) + "/forecast.nc" : arguments.out;
    options.truth = arguments.truth;
    if (options.steps < 1) refuse("forecast", "--steps ", options.steps, ": at least 1");
  });
  write_forecast(trained.run, world, options);
  if (world.rank == 0) {
    std::cout << options.out << " holds " << options.steps << " steps of "
              << trained.run.options.data.lead_hours.front() << " h from "
              << format_time(options.initial_time) << "\n";
  }
  return 0;
}

}  // namespace

void add_forecast(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand("forecast", "Roll a trained model out from one time of the data");
  const auto arguments = std::make_shared<ForecastArguments>();
  command
      ->add_option("checkpoint", arguments->checkpoint,
                   "A run folder (its newest checkpoint) or RUN/checkpoints/step-N")
      ->required();
  command->add_option("--init", arguments->init, "The initial time, such as 2001-12-01T06")->required();
  command->add_option("--steps", arguments->steps, "How many leads ahead")->capture_default_str();
  command->add_option("--out", arguments->out, "FILE.nc or DIR.zarr (default: RUN/forecast.nc)");
  command->add_option("--truth", arguments->truth,
                      "Also write the data at the same valid times to this file");
  command
      ->add_option("--set", arguments->set, "section.key=value, wins over the recipe (data.path: other data)")
      ->allow_extra_args(false);
  command->callback([&action, arguments] {
    action = [arguments] {
      return run_job([&](const World& world) { return run_forecast(*arguments, world); });
    };
  });
}

}  // namespace graticule

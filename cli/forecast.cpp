#include <algorithm>
#include <filesystem>
#include <iostream>

#include "cli/commands.h"
#include "cli/job.h"
#include "cli/trained_run.h"
#include "graticule/core/error.h"
#include "graticule/train/aside_file.h"
#include "graticule/train/forecast.h"
#include "graticule/train/history.h"
#include "graticule/train/rollout.h"
#include "graticule/train/task.h"

namespace graticule {

namespace {

struct ForecastArguments {
  TrainedRunChoice trained;
  std::string init, until, out, truth;
  int64_t every = 0, steps = 1;
  std::optional<int64_t> lead;
};

// One step of samples without dates, --every samples apart.
std::vector<int64_t> initial_samples(const ForecastArguments& arguments) {
  const int64_t first = parse_time(arguments.init, Calendar::none),
                last = parse_time(arguments.until, Calendar::none);
  if ((last - first) % sample_seconds != 0 || last < first)
    refuse("forecast", "--init ", arguments.init, " --until ", arguments.until,
           ": give the same step of a later sample, such as --init 3:5 --until 7:5");
  std::vector<int64_t> times;
  for (int64_t time = first; time <= last; time += arguments.every * sample_seconds) times.push_back(time);
  return times;
}

// --init alone, or times from it up to --until, --every hours apart (a bare date includes its whole day).
std::vector<int64_t> initial_times(const ForecastArguments& arguments, Calendar calendar) {
  if (arguments.until.empty()) return {parse_time(arguments.init, calendar)};
  if (arguments.every < 1)
    refuse("forecast", "--every ", arguments.every, ": at least 1 hour, or 1 step of a trajectory");
  if (calendar == Calendar::none) return initial_samples(arguments);
  const TimeRange range = parse_time_range(arguments.init, arguments.until, calendar);
  std::vector<int64_t> times;
  for (int64_t time = range.begin; time <= range.end; time += arguments.every * 3600) times.push_back(time);
  return times;
}

// Checks the outputs before anything is read. FieldWriter checks their extension and that they are new.
void check_outputs(const std::string& out, const std::string& truth) {
  if (out == truth) refuse("forecast", "--out and --truth are both '", out, "': choose another file for one");
  for (const auto& [name, path] : {std::pair{"--out", &out}, {"--truth", &truth}}) {
    if (path->empty()) continue;
    std::error_code none;
    if (std::filesystem::is_directory(std::filesystem::absolute(*path).parent_path(), none) &&
        !std::filesystem::exists(*path, none))
      refuse_unwritable(*path, "forecast", name);
  }
}

int run_forecast(const ForecastArguments& arguments, const World& world) {
  const Group everyone = group_of_all(world);
  ForecastOptions options;
  options.truth = arguments.truth;
  agree(world, everyone, [&] {
    options.out = arguments.out.empty()
                      ? run_folder_of(find_checkpoint(arguments.trained.checkpoint)) + "/forecast.nc"
                      : arguments.out;
    if (world.rank == 0) check_outputs(options.out, options.truth);
  });
  TrainedRun trained = load_trained_run(arguments.trained, world, everyone);
  agree(world, everyone, [&] {
    if (!task_of(trained.run.options).looks_ahead())
      refuse("forecast", "the run's task is \"", name_of(trained.run.options.task.kind),
             "\", which looks at one state: write its outputs with graticule predict");
    options.initial_times = initial_times(arguments, trained.run.source->catalog().calendar);
    options.lead_hours = arguments.lead;
    options.steps = arguments.steps;
    if (options.steps < 1) refuse("forecast", "--steps ", options.steps, ": at least 1");
  });
  write_forecast(trained.run, world, options);
  if (world.rank == 0) {
    const auto& times = options.initial_times;
    const Calendar calendar = trained.run.source->catalog().calendar;
    std::cout << options.out << " holds " << options.steps << " steps of "
              << chosen_lead(trained.run, options.lead_hours) << " h from "
              << format_time(times.front(), calendar);
    if (times.size() > 1)
      std::cout << " to " << format_time(times.back(), calendar) << ", " << times.size() << " times";
    std::cout << "\n";
  }
  return 0;
}

}  // namespace

void add_forecast(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand("forecast", "Roll a trained model out from times of the data");
  const auto arguments = std::make_shared<ForecastArguments>();
  add_trained_run(*command, arguments->trained);
  command->add_option("--init", arguments->init, "The initial time, such as 2001-12-01T06")->required();
  auto* until =
      command->add_option("--until", arguments->until, "Also start at later initial times, up to this one");
  auto* every = command->add_option("--every", arguments->every,
                                    "Hours (of samples without dates: samples) between initial times");
  until->needs(every);
  every->needs(until);
  command->add_option("--lead", arguments->lead, "One of the recipe's leads, in hours (default: its first)");
  command->add_option("--steps", arguments->steps, "How many steps of the lead to forecast")
      ->capture_default_str();
  command->add_option("--out", arguments->out, "FILE.nc or DIR.zarr (default: RUN/forecast.nc)");
  command->add_option("--truth", arguments->truth,
                      "Also write the data at the same valid times to this file");
  command->callback([&action, arguments] {
    action = [arguments] {
      return run_job([&](const World& world) { return run_forecast(*arguments, world); });
    };
  });
}

}  // namespace graticule

#include <iostream>
#include <optional>

#include "cli/chosen_data.h"
#include "cli/commands.h"
#include "cli/job.h"
#include "cli/on_threads.h"
#include "graticule/core/cores.h"
#include "graticule/core/error.h"
#include "graticule/data/info.h"
#include "graticule/data/source.h"
#include "graticule/data/statistics.h"
#include "graticule/data/synth.h"
#include "graticule/recipe/options.h"

namespace graticule {

namespace {

void add_recipe(CLI::App& command, std::string& recipe) {
  command.add_option("--recipe", recipe,
                     "A recipe whose [data.layout], or kind of grid, describes the file (docs/data.md)");
}

// Without a recipe the file says whether its fields are on a sphere or on cells.
DataOptions layout_of(const std::string& recipe) {
  if (!recipe.empty()) return read_recipe(recipe).data;
  DataOptions options;
  options.images.as_found = true;
  return options;
}

void add_info(CLI::App& data, Action& action) {
  auto* command = data.add_subcommand("info", "Print what a data set contains");
  struct Arguments {
    std::string path;
    std::string recipe;
    bool json = false, missing = false;
  };
  const auto arguments = std::make_shared<Arguments>();
  command
      ->add_option("path", arguments->path,
                   "A Zarr folder, a NetCDF file or folder of them, or \"synthetic:...\"")
      ->required();
  add_recipe(*command, arguments->recipe);
  command->add_flag("--missing", arguments->missing,
                    "Count missing values at every time, not at a sample of times");
  command->add_flag("--json", arguments->json, "Print JSON");
  command->callback([&action, arguments] {
    action = [arguments] {
      return run_alone([&] {
        const DataOptions layout = layout_of(arguments->recipe);
        const auto source = open_source(arguments->path, layout.layout, layout.images);
        std::cout << (arguments->json ? describe_json(*source, arguments->missing)
                                      : describe(*source, arguments->missing))
                  << "\n";
        return 0;
      });
    };
  });
}

struct StatsArguments {
  std::string path, recipe;
  std::vector<std::string> variables, range;
  std::vector<int> leads = {24};
  int64_t times = 0;
};

// Each core takes a share of the variables.
Statistics statistics_by_threads(const StatsArguments& arguments, const DataOptions& layout,
                                 const std::vector<std::string>& variables, const TimeRange& range) {
  const int threads = std::min(cores_of_rank(1), static_cast<int>(variables.size()));
  std::vector<std::optional<Statistics>> shares(static_cast<size_t>(threads));
  on_threads(threads, [&](int thread) {
    shares[static_cast<size_t>(thread)] =
        compute_statistics(*open_source(arguments.path, layout.layout, layout.images), variables,
                           arguments.leads, range, thread, threads, arguments.times);
  });
  Statistics all = *shares[0];
  for (size_t i = 1; i < shares.size(); ++i) all = merge(all, *shares[i]);
  return all;
}

void add_stats(CLI::App& data, Action& action) {
  auto* command = data.add_subcommand(
      "stats", "Print mean and standard deviations of fields and of their differences, as JSON");
  const auto arguments = std::make_shared<StatsArguments>();
  command
      ->add_option("path", arguments->path,
                   "A Zarr folder, a NetCDF file or folder of them, or \"synthetic:...\"")
      ->required();
  add_recipe(*command, arguments->recipe);
  command->add_option("--variables", arguments->variables, "Names such as temperature@850 (default: all)");
  command->add_option("--range", arguments->range, "First and last time (default: all)")->expected(2);
  command->add_option("--lead-hours", arguments->leads, "Leads of the differences")->capture_default_str();
  command->add_option("--times", arguments->times, "Largest number of times to read, spread evenly; 0: all")
      ->capture_default_str();
  command->callback([&action, arguments] {
    action = [arguments] {
      return run_alone([&] {
        const DataOptions layout = layout_of(arguments->recipe);
        const auto source = open_source(arguments->path, layout.layout, layout.images);
        const Catalog& catalog = source->catalog();
        if (catalog.times.empty()) refuse("data", "'", arguments->path, "' has no times: nothing to count");
        std::cout << to_json(statistics_by_threads(*arguments, layout,
                                                   chosen_variables(arguments->variables, catalog),
                                                   chosen_range(arguments->range, catalog)))
                  << "\n";
        return 0;
      });
    };
  });
}

void add_synth(CLI::App& data, Action& action) {
  auto* command = data.add_subcommand(
      "synth", "Write a synthetic atmosphere (waves with a known solution) in the WeatherBench 2 layout");
  struct Arguments {
    SyntheticOptions options;
    std::string start = "2001-01-01", out;
  };
  const auto arguments = std::make_shared<Arguments>();
  command->add_option("out", arguments->out, "OUT.zarr or OUT.nc")->required();
  command->add_option("--rows", arguments->options.rows, "Latitudes")->capture_default_str();
  command->add_option("--columns", arguments->options.columns, "Longitudes")->capture_default_str();
  command->add_option("--variables", arguments->options.variables, "How many variables")
      ->capture_default_str();
  command->add_option("--times", arguments->options.times, "How many times")->capture_default_str();
  command->add_option("--step-hours", arguments->options.step_hours, "Hours between times")
      ->capture_default_str();
  command->add_option("--start", arguments->start, "The first time")->capture_default_str();
  command->add_option("--seed", arguments->options.seed, "Seed of the waves")->capture_default_str();
  command->callback([&action, arguments] {
    action = [arguments] {
      return run_alone([&] {
        arguments->options.start = parse_time(arguments->start);
        write_synthetic(arguments->options, arguments->out);
        std::cout << arguments->out << " holds " << arguments->options.times << " times of "
                  << arguments->options.variables << " synthetic variables on " << arguments->options.rows
                  << " x " << arguments->options.columns << "\n";
        return 0;
      });
    };
  });
}

}  // namespace

void add_data(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand(
      "data", "Describe, check and convert data, compute their statistics, make synthetic data");
  command->require_subcommand(1);
  add_info(*command, action);
  add_stats(*command, action);
  add_data_check(*command, action);
  add_data_convert(*command, action);
  add_synth(*command, action);
}

}  // namespace graticule

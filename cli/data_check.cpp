#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>

#include "cli/chosen_data.h"
#include "cli/commands.h"
#include "cli/job.h"
#include "cli/on_threads.h"
#include "cli/progress_bar.h"
#include "graticule/core/cores.h"
#include "graticule/data/field_check.h"
#include "graticule/train/statistics_pass.h"

namespace graticule {

namespace {

struct DataCheckArguments {
  DataChoice choice;
  bool json = false;
};

// Reads this rank's parts with all of its cores. Every thread has a source of its own.
Findings check_mine(const ChosenData& reading, const World& world) {
  const std::vector<CheckPart> parts =
      check_parts(*reading.source, reading.variables, std::ssize(reading.times));
  std::vector<size_t> mine;
  for (auto i = static_cast<size_t>(world.rank); i < parts.size(); i += static_cast<size_t>(world.size))
    mine.push_back(i);
  ProgressBar bar("checking", world.rank == 0 ? std::ssize(mine) : 0);
  Findings findings;
  std::mutex mutex;  // of findings, done and bar
  std::atomic<size_t> next = 0;
  int64_t done = 0;
  const int threads = std::min(cores_of_rank(world.local_size), static_cast<int>(mine.size()));
  on_threads(threads, [&](int) {
    const std::unique_ptr<Source> source = open_source(reading.path, reading.layout, reading.images);
    for (size_t i = next++; i < mine.size(); i = next++) {
      Findings part;
      check_part(*source, parts[mine[i]], reading.times, part);
      const std::lock_guard lock(mutex);
      for (const auto& [name, found] : part) findings[name].merge(found);
      ++done;
      if (world.rank == 0) bar.show(done);
    }
  });
  return findings;
}

std::string verdict_on(const ChosenData& reading, const std::string& name, const FieldFindings& found) {
  const Catalog& catalog = reading.source->catalog();
  return verdict_of(found, catalog.variables[catalog.index_of(name)], reading.missing_allowed);
}

void print_findings(const ChosenData& reading, const Findings& findings, bool clean, bool json) {
  nlohmann::json lines = nlohmann::json::array();
  if (!json) {
    fmt::print("{}: {} variables, {} times\n{:<32} {:>8} {:>12} {:>12} {:>10}  {}\n", reading.path,
               reading.variables.size(), reading.times.size(), "variable", "fields", "lowest", "highest",
               "missing", "finding");
  }
  std::vector<std::string> remarks;
  for (const auto& [name, found] : findings) {
    const std::string verdict = verdict_on(reading, name, found);
    const bool some = found.low <= found.high;
    if (json) {
      lines.push_back({{"variable", name},
                       {"fields", found.fields},
                       {"damaged", found.damaged},
                       {"missing", found.missing},
                       {"infinite", found.infinite},
                       {"outside", found.outside},
                       {"uniform", found.uniform},
                       {"finding", verdict},
                       {"first", found.first},
                       {"lowest", some ? nlohmann::json(found.low) : nlohmann::json()},
                       {"highest", some ? nlohmann::json(found.high) : nlohmann::json()}});
      continue;
    }
    fmt::print("{:<32} {:>8} {:>12.6g} {:>12.6g} {:>10}  {}\n", name, found.fields, some ? found.low : NAN,
               some ? found.high : NAN, found.missing, verdict.empty() ? "clean" : verdict);
    if (!verdict.empty() && !found.first.empty()) remarks.push_back(name + ": first " + found.first);
  }
  if (json) fmt::print("{}\n", nlohmann::json{{"clean", clean}, {"variables", lines}}.dump());
  for (const std::string& remark : remarks) fmt::print("{}\n", remark);
  if (!json) fmt::print("{}\n", clean ? "clean" : "NOT CLEAN");
}

int run_data_check(const DataCheckArguments& arguments, const World& world) {
  const Group everyone = group_of_all(world);
  ChosenData reading;
  agree(world, everyone, [&] { reading = open_chosen(arguments.choice); });
  Findings mine;
  agree(world, everyone, [&] { mine = check_mine(reading, world); });
  Findings all;
  for (const std::string& json : gather_texts(to_json(mine), everyone)) {
    for (const auto& [name, found] : findings_from_json(json)) all[name].merge(found);
  }
  const bool clean = std::all_of(all.begin(), all.end(), [&](const auto& line) {
    return verdict_on(reading, line.first, line.second).empty();
  });
  if (world.rank == 0) print_findings(reading, all, clean, arguments.json);
  return clean ? 0 : 1;
}

}  // namespace

void add_data_check(CLI::App& data, Action& action) {
  auto* command = data.add_subcommand(
      "check", "Read everything once: what is damaged, missing, infinite, constant or impossible");
  const auto arguments = std::make_shared<DataCheckArguments>();
  command
      ->add_option("path", arguments->choice.path,
                   "A data set as for `data info`, or a recipe (RECIPE.toml): then what it reads")
      ->required();
  command->add_option("--variables", arguments->choice.variables,
                      "Names such as temperature@850 (default: all)");
  command->add_option("--range", arguments->choice.range, "First and last time (default: all)")->expected(2);
  command->add_option("--set", arguments->choice.set, "section.key=value, wins over the recipe")
      ->allow_extra_args(false);
  command->add_flag("--json", arguments->json, "Print JSON");
  command->callback([&action, arguments] {
    action = [arguments] {
      return run_job([&](const World& world) { return run_data_check(*arguments, world); });
    };
  });
}

}  // namespace graticule

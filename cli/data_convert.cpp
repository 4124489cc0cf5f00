#include <fmt/format.h>

#include <filesystem>

#include "cli/chosen_data.h"
#include "cli/commands.h"
#include "cli/job.h"
#include "cli/on_threads.h"
#include "cli/progress_bar.h"
#include "graticule/core/cores.h"
#include "graticule/core/error.h"
#include "graticule/data/convert.h"
#include "graticule/data/file_bytes.h"
#include "graticule/data/info.h"

namespace graticule {

namespace {

struct ConvertArguments {
  DataChoice choice;
  std::string out;
  int64_t shard_mb = 256;
  bool dry_run = false;
};

// How many files a local folder holds; 0 for anything else.
int64_t files_in(const std::string& path) {
  std::error_code none;
  if (!std::filesystem::is_directory(path, none)) return 0;
  int64_t count = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path, none))
    count += entry.is_regular_file();
  return count;
}

std::string megabytes(int64_t bytes) { return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6); }

int run_convert(const ConvertArguments& arguments) {
  if (arguments.shard_mb < 1) refuse("convert", "--shard-mb ", arguments.shard_mb, ": at least 1");
  const ChosenData data = open_chosen(arguments.choice);
  const Catalog& catalog = data.source->catalog();
  for (const std::string& note : notes_to_tell(catalog)) fmt::print("{}\n", note);
  ConvertOptions options;
  options.out = arguments.out;
  options.variables = data.variables;
  if (!data.times.empty())
    options.range = {catalog.times[static_cast<size_t>(data.times.front())],
                     catalog.times[static_cast<size_t>(data.times.back())]};
  options.shard_bytes = arguments.shard_mb << 20;
  options.threads = cores_of_rank(1);
  Converter converter(*data.source, options);
  const ConvertPlan& plan = converter.plan();
  const int64_t before = files_in(data.path), finished = converter.finished();
  fmt::print(
      "{}: {} variables at {} times, {} before compression, in {} files (fields: {} files, the largest {})\n",
      arguments.out, options.variables.size(), plan.times, megabytes(plan.bytes), plan.files, plan.shards,
      megabytes(plan.shard_bytes));
  if (before > 0) fmt::print("{} has {} files\n", data.path, before);
  for (const std::string& gap : plan.gaps) fmt::print("no data for {}: missing there\n", gap);
  if (finished > 0) fmt::print("{} of {} files with fields are there already\n", finished, plan.shards);
  std::fflush(stdout);
  if (arguments.dry_run) return 0;
  int64_t bytes = 0;
  {
    ProgressBar bar("converting", plan.shards);
    bytes = converter.run([&](int64_t done) { bar.show(done); });
  }
  fmt::print("{} is complete and was read back: {}\n", arguments.out, megabytes(bytes));
  return 0;
}

}  // namespace

void add_data_convert(CLI::App& data, Action& action) {
  auto* command = data.add_subcommand(
      "convert", "Rewrite a data set as a Zarr 3 store of few, large files; goes on after a stop");
  const auto arguments = std::make_shared<ConvertArguments>();
  command
      ->add_option("path", arguments->choice.path,
                   "A data set as for `data info`, or a recipe (RECIPE.toml): then what it reads")
      ->required();
  command->add_option("out", arguments->out, "OUT.zarr")->required();
  command->add_option("--variables", arguments->choice.variables,
                      "Names such as temperature@850 (default: all)");
  command->add_option("--range", arguments->choice.range, "First and last time (default: all)")->expected(2);
  command->add_option("--set", arguments->choice.set, "section.key=value, wins over the recipe")
      ->allow_extra_args(false);
  command
      ->add_option("--shard-mb", arguments->shard_mb, "Size of a file before compression, and memory needed")
      ->capture_default_str();
  command->add_flag("--dry-run", arguments->dry_run, "Print what would be written");
  command->callback([&action, arguments] {
    action = [arguments] { return run_alone([&] { return run_convert(*arguments); }); };
  });
}

}  // namespace graticule

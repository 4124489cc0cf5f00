#include "graticule/train/history.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "graticule/core/error.h"
#include "graticule/train/aside_file.h"

namespace graticule {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view step_prefix = "step-", left_prefix = "left-", metrics_prefix = "metrics.left-";

// The number in a name between a known prefix and suffix.
std::optional<int64_t> number_in(std::string_view name, std::string_view prefix,
                                 std::string_view suffix = "") {
  if (name.size() <= prefix.size() + suffix.size() || !name.starts_with(prefix) || !name.ends_with(suffix))
    return std::nullopt;
  name.remove_prefix(prefix.size()), name.remove_suffix(suffix.size());
  int64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  return error == std::errc() && end == name.data() + name.size() ? std::optional(number) : std::nullopt;
}

std::vector<fs::path> entries_of(const fs::path& folder) {
  std::vector<fs::path> entries;
  std::error_code error;
  if (!fs::exists(folder, error) && !error) return entries;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error))
    entries.push_back(entry->path());
  if (error)
    fail("checkpoint", folder.string(), " cannot be read: ", error.message(), "; check that you may read it");
  return entries;
}

void rename_to(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::rename(from, to, error);
  if (error)
    fail("checkpoint", from.string(), " cannot be renamed to ", to.string(), ": ", error.message(),
         "; rename it by hand, or choose another run.out");
}

// Syncs a folder: a rename in it survives a power cut only after that.
void sync_folder(const fs::path& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = descriptor >= 0 && ::fsync(descriptor) == 0;
  const int reason = errno;
  if (descriptor >= 0) ::close(descriptor);
  if (!synced)
    fail("checkpoint", folder.string(), " cannot be synced to the disk: ", std::strerror(reason),
         "; choose another run.out");
}

std::string read_text(const fs::path& path) {
  std::ifstream file(path);
  std::stringstream content;
  content << file.rdbuf();
  return content.str();
}

// The checkpoints that leave: the folder for them, and their names in checkpoints/.
struct Leaving {
  std::string folder;
  std::vector<std::string> names;
};

fs::path leaving_file(const fs::path& checkpoints) { return checkpoints / "leaving"; }

std::optional<Leaving> leaving_in(const fs::path& checkpoints) {
  std::istringstream lines(read_text(leaving_file(checkpoints)));
  Leaving leaving;
  if (!std::getline(lines, leaving.folder)) return std::nullopt;
  for (std::string name; std::getline(lines, name);) leaving.names.push_back(name);
  return leaving;
}

// Whether a checkpoint has yet to be moved. After the move, its name in checkpoints/ belongs to a new
// checkpoint.
bool still_leaving(const Leaving& leaving, const fs::path& checkpoint) {
  const std::string name = checkpoint.filename();
  std::error_code ignored;
  return std::find(leaving.names.begin(), leaving.names.end(), name) != leaving.names.end() &&
         !fs::exists(checkpoint.parent_path() / leaving.folder / name, ignored);
}

// A new number for left checkpoints and metrics: one above all that exist.
int64_t next_number(const fs::path& run_folder) {
  int64_t last = 0;
  for (const fs::path& entry : entries_of(run_folder / "checkpoints"))
    last = std::max(last, number_in(entry.filename().string(), left_prefix).value_or(0));
  for (const fs::path& entry : entries_of(run_folder))
    last = std::max(last, number_in(entry.filename().string(), metrics_prefix, ".jsonl").value_or(0));
  return last + 1;
}

std::vector<fs::path> not_on_line_of(const std::string& run_folder, const std::string& parent) {
  std::vector<fs::path> others = checkpoints_of(run_folder);
  if (!lies_on_line(run_folder, parent)) return others;
  std::erase_if(others, [&](const auto& other) { return *step_in_name(other) <= *step_in_name(parent); });
  return others;
}

// Lines of metrics, split into those with a step of at most `last` and all others. A line that a crash cut
// off is among the others.
struct Lines {
  std::string kept, others;
};

int64_t step_in_line(const std::string& line) {
  constexpr int64_t unreadable = std::numeric_limits<int64_t>::max();
  const auto json = nlohmann::json::parse(line, nullptr, false);
  if (!json.is_object() || !json.contains("step") || !json["step"].is_number_integer()) return unreadable;
  return json["step"].get<int64_t>();
}

Lines split_at(const std::string& content, int64_t last) {
  std::istringstream lines(content);
  Lines split;
  for (std::string line; std::getline(lines, line);)
    (step_in_line(line) <= last ? split.kept : split.others) += line + "\n";
  return split;
}

int64_t first_step_in(const std::string& content) {
  std::istringstream lines(content);
  int64_t first = std::numeric_limits<int64_t>::max();
  for (std::string line; std::getline(lines, line);) first = std::min(first, step_in_line(line));
  return first;
}

fs::path leaving_metrics(const fs::path& run_folder) { return run_folder / "metrics.leaving.jsonl"; }
fs::path left_metrics(const fs::path& run_folder, int64_t number) {
  return run_folder / text(metrics_prefix, number, ".jsonl");
}

// Puts back the lines that a job set aside, if it died before its first checkpoint: then it made no branch.
void give_back_metrics(const fs::path& run_folder) {
  const std::string leaving = read_text(leaving_metrics(run_folder));
  if (leaving.empty()) return;
  const fs::path metrics = run_folder / "metrics.jsonl";
  const Lines lines = split_at(read_text(metrics), first_step_in(leaving) - 1);
  if (!lines.others.empty() && lines.others != leaving)
    write_whole(left_metrics(run_folder, next_number(run_folder)), lines.others, "run");
  write_whole(metrics, lines.kept + leaving, "run");
  std::error_code ignored;
  fs::remove(leaving_metrics(run_folder), ignored);
}

}  // namespace

std::optional<int64_t> step_in_name(const fs::path& checkpoint) {
  return number_in(checkpoint.filename().string(), step_prefix);
}

std::vector<fs::path> checkpoints_of(const std::string& run_folder) {
  const fs::path folder = fs::path(run_folder) / "checkpoints";
  const auto leaving = leaving_in(folder);
  std::vector<fs::path> found;
  for (const fs::path& entry : entries_of(folder)) {
    if (step_in_name(entry) && !(leaving && still_leaving(*leaving, entry))) found.push_back(entry);
  }
  std::sort(found.begin(), found.end(),
            [](const auto& a, const auto& b) { return *step_in_name(a) < *step_in_name(b); });
  return found;
}

std::optional<std::string> newest_checkpoint(const std::string& run_folder) {
  const auto all = checkpoints_of(run_folder);
  return all.empty() ? std::nullopt : std::optional(all.back().string());
}

bool lies_on_line(const std::string& run_folder, const std::string& checkpoint) {
  std::error_code none;
  return step_in_name(checkpoint) &&
         fs::equivalent(fs::absolute(checkpoint).parent_path(), fs::path(run_folder) / "checkpoints", none);
}

std::string run_folder_of(const std::string& checkpoint) {
  fs::path folder = (fs::absolute(checkpoint) / "").lexically_normal().parent_path().parent_path();
  const bool left = number_in(folder.filename().string(), left_prefix).has_value();
  const fs::path around = left ? folder.parent_path() : folder;
  return (around.filename() == "checkpoints" ? around.parent_path() : folder).string();
}

void finish_leaving(const std::string& run_folder) {
  const fs::path folder = fs::path(run_folder) / "checkpoints";
  const auto leaving = leaving_in(folder);
  if (!leaving) return;
  std::error_code error;
  fs::create_directories(folder / leaving->folder, error);
  for (const std::string& name : leaving->names) {
    const fs::path checkpoint = folder / name;
    if (fs::exists(checkpoint, error) && still_leaving(*leaving, checkpoint))
      rename_to(checkpoint, folder / leaving->folder / name);
  }
  sync_folder(folder / leaving->folder);
  fs::remove(leaving_file(folder), error);
}

void start_record(const std::string& run_folder, const std::string& parent, int64_t step) {
  give_back_metrics(run_folder);
  const fs::path metrics = fs::path(run_folder) / "metrics.jsonl";
  const Lines lines = split_at(read_text(metrics), lies_on_line(run_folder, parent) ? step : 0);
  if (lines.others.empty()) return;
  write_whole(leaving_metrics(run_folder), lines.others, "run");
  write_whole(metrics, lines.kept, "run");
}

std::string append_to_line(const std::string& run_folder, const std::string& aside, int64_t step,
                           const std::string& parent) {
  const fs::path folder = fs::path(run_folder) / "checkpoints";
  sync_folder(aside);
  const std::vector<fs::path> others = not_on_line_of(run_folder, parent);
  const int64_t number = next_number(run_folder);
  const std::string left = text(left_prefix, number);
  std::string names;
  for (const fs::path& other : others) names += other.filename().string() + "\n";
  if (!names.empty()) write_whole(leaving_file(folder), left + "\n" + names, "checkpoint");
  std::error_code none;
  if (fs::exists(leaving_metrics(run_folder), none))
    rename_to(leaving_metrics(run_folder), left_metrics(run_folder, number));
  // Renames the new checkpoint last, because a leaving one may have the same name.
  if (!names.empty()) finish_leaving(run_folder);
  rename_to(aside, folder / text(step_prefix, step));
  sync_folder(folder);
  if (names.empty()) return "";
  std::replace(names.begin(), names.end(), '\n', ' ');
  return text("this run continues from ", parent, "; checkpoints ", names, "left its line and are now in ",
              (folder / left).string(), "; resume from one by its path, or remove the folder");
}

void name_best(const std::string& run_folder, int64_t step) {
  const fs::path folder = fs::path(run_folder) / "checkpoints", link = folder / "best";
  const std::string name = text(step_prefix, step);
  std::error_code error;
  fs::remove(link, error);
  if (step == 0 || !fs::exists(folder / name, error)) return;
  fs::create_directory_symlink(name, link, error);
  if (error)
    fail("checkpoint", link.string(), " cannot be made a link to ", name, ": ", error.message(),
         "; choose another run.out, or leave out train.patience");
}

std::vector<std::string> remove_old(const std::string& run_folder, int64_t keep, int64_t best_step) {
  const auto all = checkpoints_of(run_folder);
  std::vector<std::string> told;
  for (size_t i = 0; i + static_cast<size_t>(keep) < all.size(); ++i) {
    if (best_step > 0 && step_in_name(all[i]) == best_step) continue;
    std::error_code error;
    fs::remove_all(all[i], error);
    if (error)
      told.push_back(
          text(all[i].string(), " is old and cannot be removed: ", error.message(), "; remove it by hand"));
  }
  return told;
}

}  // namespace graticule

// Keeps the history of a run a line: each checkpoint of RUN/checkpoints/step-N continues from the one before
// it. Resuming from an older checkpoint starts a branch. When the branch writes its first checkpoint, the
// later checkpoints of the old line are moved away ("left"):
//
//   checkpoints/step-3           the checkpoint resumed from
//   checkpoints/step-6           the new one
//   checkpoints/left-1/step-6    the old one: kept, never again the newest, not counted by run.keep
//   metrics.left-1.jsonl         the metrics lines of what was left
//   checkpoints/best             a link to the checkpoint with the best validation score (train.patience)
//
// A job may end at any moment, so two files record what is under way:
//
// - `checkpoints/leaving` lists the checkpoints to move. It is written before the first rename. A listed
//   checkpoint counts as left, wherever it is at that moment.
// - `metrics.leaving.jsonl` contains the metrics lines after the checkpoint resumed from, until the branch
//   has a checkpoint. If the branch dies before, the next job puts these lines back.
//
// Only rank 0 calls the functions that write, and it has the run's lock (run_lock.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace graticule {

/// N for a path that ends in step-N, else nothing.
std::optional<int64_t> step_in_name(const std::filesystem::path& checkpoint);

/// The checkpoints of a run's line, oldest first. Any process may call it.
std::vector<std::filesystem::path> checkpoints_of(const std::string& run_folder);

/// The newest checkpoint of the line, or nothing.
std::optional<std::string> newest_checkpoint(const std::string& run_folder);

/// Whether the path `checkpoint` is RUN/checkpoints/step-N of this run.
bool lies_on_line(const std::string& run_folder, const std::string& checkpoint);

/// The run folder (absolute) of a checkpoint RUN/checkpoints/step-N or RUN/checkpoints/left-1/step-N. For a
/// checkpoint anywhere else, the folder around it.
std::string run_folder_of(const std::string& checkpoint);

/// Completes the moves that a job began before it died.
void finish_leaving(const std::string& run_folder);

/// Prepares metrics.jsonl before the first step of a job that continues from `parent` (a checkpoint folder;
/// "": from the start) at `step`. Lines of later steps and unreadable lines are put aside, so that no step is
/// recorded twice.
void start_record(const std::string& run_folder, const std::string& parent, int64_t step);

/// Renames the complete checkpoint in `aside` to step-N, after moving away the checkpoints that `parent`'s
/// branch leaves. Returns a sentence for the log if any were moved, else "". Fails when a rename fails.
std::string append_to_line(const std::string& run_folder, const std::string& aside, int64_t step,
                           const std::string& parent);

/// Makes checkpoints/best a link to step-`step` of the line, or removes it when there is no such checkpoint
/// (0: none). Fails when the link cannot be made.
void name_best(const std::string& run_folder, int64_t step);

/// Removes all checkpoints of the line except the newest `keep` and the one of `best_step` (0: none). Returns
/// a sentence for each one that cannot be removed.
std::vector<std::string> remove_old(const std::string& run_folder, int64_t keep, int64_t best_step);

}  // namespace graticule

// The history of a run is a line: each checkpoint of RUN/checkpoints/step-N goes on from the one before it.
// Who goes back to an older one starts a branch. With the branch's first checkpoint the others leave the
// line:
//
//   checkpoints/step-3           the one gone back to
//   checkpoints/step-6           the new one
//   checkpoints/left-1/step-6    what was left: kept, never again the newest, not counted by run.keep
//   metrics.left-1.jsonl         their lines
//
// Two files stand for what is under way, so that a job may end at any moment. `checkpoints/leaving` lists
// what leaves, from before the first rename on: what it lists is left, wherever it lies.
// `metrics.leaving.jsonl` has lines beyond the checkpoint resumed from, until there is a new one: a branch
// that dies before gives them back.
//
// All of it is for rank 0, under the run's lock.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace graticule {

/// N of a path that ends in step-N.
std::optional<int64_t> step_in_name(const std::filesystem::path& checkpoint);

/// The checkpoints of a run's line, oldest first. Any process may ask.
std::vector<std::filesystem::path> checkpoints_of(const std::string& run_folder);

/// The newest of them; nothing when there is none.
std::optional<std::string> newest_checkpoint(const std::string& run_folder);

/// Whether `checkpoint` is one of RUN/checkpoints/step-N.
bool lies_on_line(const std::string& run_folder, const std::string& checkpoint);

/// The run folder of RUN/checkpoints/step-N or RUN/checkpoints/left-1/step-N, absolute; the folder around a
/// checkpoint that lies anywhere else.
std::string run_folder_of(const std::string& checkpoint);

/// Completes what a job that died had begun to leave.
void finish_leaving(const std::string& run_folder);

/// Before the first step of a job that goes on from `parent` (a checkpoint folder; "": from the start) at
/// `step`: lines of metrics.jsonl that are not on its line go aside, unreadable ones too, so that no step
/// comes twice.
void start_record(const std::string& run_folder, const std::string& parent, int64_t step);

/// Gives the whole checkpoint in `aside` its name step-N, after what is not on the line of `parent` was left.
/// Gives a sentence for the log when something was.
std::string append_to_line(const std::string& run_folder, const std::string& aside, int64_t step,
                           const std::string& parent);

/// Removes all but the newest `keep` of the line. Gives a sentence for each that could not be removed.
std::vector<std::string> remove_old(const std::string& run_folder, int64_t keep);

}  // namespace graticule

// The cadence of a run: steps, log lines, evaluations, checkpoints, and a clean end when a signal asks for it.
#pragma once

#include <string>

#include "graticule/comm/launch.h"
#include "graticule/train/run.h"

namespace graticule {

/// Trains until the recipe's last step, or until SIGTERM or SIGINT (then a checkpoint is written first). Collective.
/// Rank 0 writes RUN/metrics.jsonl, TensorBoard events, RUN/log.txt, and progress to the terminal (JSON lines with `json`).
/// Gives true when all steps were made, false when a signal ended it.
bool train(Run& run, const World& world, bool json);

/// Prepares RUN (made, writable, recipe.toml written) on rank 0 and, with `resume` ("auto" or a checkpoint's folder),
/// finds and verifies the checkpoint to go on from. Refuses a folder that already holds another run unless resuming.
std::optional<std::string> prepare_run_folder(const Options& options, const std::string& resume);

}  // namespace graticule

// Chooses the layout of a recipe without a section [parallel] when several ranks train it. The planner
// (plan/planner.h) makes the choice. Training (settle.h), `plan --dry-run` and `simulate` use it.
#pragma once

#include <optional>
#include <string>

#include "graticule/comm/launch.h"
#include "graticule/plan/cluster.h"
#include "graticule/plan/layouts.h"

namespace graticule {

struct ChosenLayout {
  Layout layout;
  std::string why;  ///< a sentence for the log
};

/// The planner's choice for `ranks` ranks, `local_size` of them on each node. `limit`: bytes that a rank may
/// hold; nothing: the memory of the cluster's device.
///
/// The cluster is ./clusters/here.toml if that file has `local_size` devices a node (and several nodes if the
/// job has). Otherwise it is hgx_h200 for train.device = "cuda", and the guess clusters/cpu.toml for "cpu".
///
/// Returns nothing for one rank, for a recipe with a section [parallel], and if no layout fits. The caller
/// then derives the degrees (recipe/layout.h). Not collective: ranks that see different files may get
/// different answers.
std::optional<ChosenLayout> chosen_layout(const Options& options, const ModelShape& shape, int ranks,
                                          int local_size, std::optional<int64_t> limit);

/// The same on a given cluster. `memory`: bytes of tensors that a rank may hold.
std::optional<ChosenLayout> chosen_layout(const Options& options, const ModelShape& shape, int ranks,
                                          const Cluster& cluster, int64_t memory);

/// Rank 0 chooses; every rank writes the choice into `options`. The smallest `limit` of all ranks counts.
/// Returns the sentence for the log, or nothing if nothing was chosen. Collective.
std::optional<std::string> choose_layout(Options& options, const ModelShape& shape, const World& world,
                                         const Group& everyone, std::optional<int64_t> limit);

}  // namespace graticule

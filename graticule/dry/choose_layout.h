// The layout of a recipe that leaves it to the program: no section [parallel], several ranks.
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

/// The planner's choice for `ranks`, `local_size` on a node, of which each may hold `limit` bytes (nothing:
/// what the described device has). The machine is ./clusters/here.toml if that has as many ranks a node, else
/// hgx_h200 for train.device = "cuda" and the guess clusters/cpu.toml for "cpu". Nothing for one rank, for a
/// recipe with a section [parallel], and where nothing fits: then degrees are derived (recipe/layout.h).
std::optional<ChosenLayout> chosen_layout(const Options& options, const ModelShape& shape, int ranks,
                                          int local_size, std::optional<int64_t> limit);

/// The same on a given machine, of whose devices each may hold `memory` bytes.
std::optional<ChosenLayout> chosen_layout(const Options& options, const ModelShape& shape, int ranks,
                                          const Cluster& cluster, int64_t memory);

/// Writes such a choice into the recipe, the same on every rank, and gives the sentence. Collective.
std::optional<std::string> choose_layout(Options& options, const ModelShape& shape, const World& world,
                                         const Group& everyone, std::optional<int64_t> limit);

}  // namespace graticule

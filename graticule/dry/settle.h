// Makes the choices that a recipe leaves to the program, before anything is allocated: the layout of a recipe
// without [parallel], degrees that are left out, and train.activations = "auto". The command line and users
// of the library call the same functions, so they get the same choices.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "graticule/train/build.h"

namespace graticule {

/// Bytes of tensors that a rank may hold (memory_limit in train/memory.h); nothing: no limit is known.
std::optional<int64_t> memory_limit_of(const Options& options, int local_size);

/// What settle() found out beside its choices.
struct Settled {
  std::optional<int64_t> limit;        ///< memory_limit_of() before the first allocation
  std::optional<std::string> planned;  ///< the sentence for the log, if the planner chose the layout
};

/// Writes choices into `problem.options`, the same on every rank: the layout if the planner chooses it
/// (dry/choose_layout.h), then the activation policy (dry/fit.h). Between them it checks the degrees, which
/// mesh_of (train/build.h) writes. Also sets this rank's threads. Refuses degrees that cannot work and a recipe
/// that does not fit in memory. Collective.
Settled settle(Problem& problem, const World& world, const Group& everyone);

/// A run of a recipe: settle(), then assemble() (train/build.h), whose parameters these are. Collective.
Run build(Problem problem, const World& world, bool for_training,
          const std::optional<Statistics>& statistics = std::nullopt);

}  // namespace graticule

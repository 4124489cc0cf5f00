// What a recipe leaves to the program, decided before anything is allocated: the layout of a recipe without
// [parallel], degrees that are left out, train.activations = "auto". The command line and a library user get
// the same choices from here.
#pragma once

#include <optional>
#include <string>

#include "graticule/train/build.h"

namespace graticule {

/// Bytes of tensors that a rank may hold; nothing: no limit is known.
std::optional<int64_t> memory_limit_of(const Options& options, int local_size);

/// Writes the choices into `problem.options`, the same on every rank: first the layout (dry/choose_layout.h),
/// then the degrees (recipe/layout.h), then the activation policy (dry/fit.h). Gives the sentence for the log
/// when the planner chose the layout. Refuses a recipe that does not fit. Sets this rank's threads. Collective.
std::optional<std::string> settle(Problem& problem, const World& world, const Group& everyone);

/// A run of a recipe as it was written: settle(), then assemble() (train/build.h). Collective.
Run build(Problem problem, const World& world, bool for_training,
          const std::optional<Statistics>& statistics = std::nullopt);

}  // namespace graticule

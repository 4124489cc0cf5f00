// Which layouts can train a recipe: the degrees of the axes for a number of ranks.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "graticule/core/axes.h"
#include "graticule/core/model_shape.h"
#include "graticule/recipe/options.h"

namespace graticule {

/// Why a layout cannot train the recipe; nothing when it can.
std::optional<std::string> trouble_with(const Axes& axes, const Options& options, const ModelShape& shape);

/// All axes whose degrees make `ranks` and that can train the recipe, whatever degrees it gives.
std::vector<Axes> layouts_that_work(const Options& options, int ranks, const ModelShape& shape);

/// The axes for `ranks`: degrees that the recipe leaves out are derived (sequence ranks first: ulysses up to
/// the heads, the rest context; tensor and pipeline stay 1). Refuses a layout that cannot work, naming the
/// nearest ones that can.
Axes resolve_axes(const Options& options, int ranks, const ModelShape& shape);

/// Writes the degrees into the recipe's section.
void fill_in(ParallelOptions& parallel, const Axes& axes);

}  // namespace graticule

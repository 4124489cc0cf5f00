// Decides which layouts can train a recipe, and derives the degrees of the mesh's axes (core/axes.h) for a
// number of ranks. Training, the planner and the dry run use it. No function here is collective.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "graticule/core/axes.h"
#include "graticule/core/model_shape.h"
#include "graticule/recipe/options.h"

namespace graticule {

/// The reason why a layout cannot train the recipe, with what would work; nothing when it can.
std::optional<std::string> trouble_with(const Axes& axes, const Options& options, const ModelShape& shape);

/// All axes that make `ranks` ranks and can train the recipe, whatever degrees the recipe gives.
std::vector<Axes> layouts_that_work(const Options& options, int ranks, const ModelShape& shape);

/// The axes for `ranks` ranks. Degrees that the recipe leaves out (0) are derived: ulysses takes the largest
/// divisor that the heads allow, context takes the rest (data, when the recipe gives context); tensor and
/// pipeline stay 1. Refuses a layout that cannot work and names the nearest ones that can.
Axes resolve_axes(const Options& options, int ranks, const ModelShape& shape);

/// The degrees in words, and the grid if the context method is a mesh.
std::string described(const Axes& axes, const Options& options, const ModelShape& shape);

/// Writes the degrees into the recipe's section [parallel].
void fill_in(ParallelOptions& parallel, const Axes& axes);

}  // namespace graticule

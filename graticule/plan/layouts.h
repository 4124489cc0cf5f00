// A layout: how a model is spread over ranks, as a value that the planner can compare, print and write into a
// recipe. layout_choices.h enumerates layouts.
#pragma once

#include <string>
#include <vector>

#include "graticule/core/axes.h"
#include "graticule/core/model_shape.h"
#include "graticule/recipe/options.h"

namespace graticule {

/// The keys of [parallel], and train.activations.
struct Layout {
  ParallelOptions parallel;  ///< with every degree filled in
  Activations activations = Activations::keep;
};

/// The degrees of a layout.
Axes axes_of(const Layout& layout);

/// The recipe with this layout written into it.
Options with_layout(Options options, const Layout& layout);

/// A layout in words: "data 2 x ulysses 4, ring, shard full of 8, recompute, ...". Keys that have no effect
/// here are left out, and so are most that have their default.
std::string described(const Layout& layout);

/// The names of the recipe keys that a layout sets.
const std::vector<std::string>& layout_keys();

/// All degrees for `ranks` ranks that can train the recipe (recipe/layout.h) and agree with the degrees that
/// it gives. Empty where there are none.
std::vector<Axes> open_axes(const Options& options, const ModelShape& shape, int ranks);

}  // namespace graticule

// What a planner chooses from: every layout of a number of ranks that a recipe leaves open. A *frame* is the
// degrees, the context method, the schedule, the micro-batches and the activation policy; a frame's
// *variants* are how its weights are sharded and how its heads are exchanged.
#pragma once

#include <string>
#include <vector>

#include "graticule/core/axes.h"
#include "graticule/core/model_shape.h"
#include "graticule/recipe/options.h"

namespace graticule {

/// All that [parallel] and train.activations say.
struct Layout {
  ParallelOptions parallel;  ///< every degree given
  Activations activations = Activations::keep;
};

/// Its degrees.
Axes axes_of(const Layout& layout);

/// The recipe with the layout in it.
Options with_layout(Options options, const Layout& layout);

/// "data 2 x ulysses 4, ring, shard full of 8, recompute, ...": what differs from a recipe's defaults.
std::string described(const Layout& layout);

/// The keys of a recipe that a layout decides.
const std::vector<std::string>& layout_keys();

/// The degrees for `ranks` that keep those that the recipe gives, and that trouble_with (recipe/layout.h)
/// finds nothing wrong with.
std::vector<Axes> open_axes(const Options& options, const ModelShape& shape, int ranks);

}  // namespace graticule

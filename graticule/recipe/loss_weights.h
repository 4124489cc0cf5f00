// The weights of variables in the loss (train.loss_weights). Weights of rows and of missing values come on top
// (data/loader.h). Scores of `eval` do not use them.
#pragma once

#include <string>
#include <vector>

#include "graticule/recipe/options.h"

namespace graticule {

/// The weight of each target, named `variable` or `variable@level`.
///   none      1
///   pressure  level / (mean level of this variable's targets), so the levels of a variable have the mean 1;
///             1 for a target without a level. Levels near the ground, where the air is dense, count more, as
///             in GraphCast (arXiv 2212.12794).
///   a table   the value of the target's name, else of its variable, else 1
/// Refuses a name in the table that is no target, and weights that are all 0.
std::vector<double> target_weights(const LossWeights& weights, const std::vector<std::string>& targets);

/// What the loss of a step is, in one sentence.
std::string loss_in_words(const LossWeights& weights, const std::vector<std::string>& targets);

}  // namespace graticule

// Whether training still improves on the validation times (data.valid). loop.cpp asks it after each evaluation;
// checkpoints hold it, so that a resumed run goes on counting.
#pragma once

#include <cstdint>
#include <limits>

namespace graticule {

struct Evaluation;
struct Run;

/// The course of the validation score. The default: nothing was evaluated.
struct Validation {
  double best = std::numeric_limits<double>::infinity();  ///< the smallest score
  int64_t best_step = 0;                                  ///< the step that had it; 0: none yet
  int64_t without = 0;                                    ///< evaluations since then
  int64_t evaluated = 0;                                  ///< the last step that was evaluated
};

/// The mean, over targets with a score, of the model's RMSE divided by the deviation of the target's change
/// over the lead. 1 is about the score of persistence. NaN when no target has a score.
double validation_score(const Run& run, const Evaluation& evaluation);

/// Notes the score of a step. Returns whether it is the best so far; NaN never is.
bool note_score(Validation& validation, double score, int64_t step);

}  // namespace graticule

#include "graticule/train/validation.h"

#include <cmath>

#include "graticule/train/evaluate.h"

namespace graticule {

double validation_score(const Run& run, const Evaluation& evaluation) {
  double sum = 0;
  int64_t count = 0;
  for (const ScoreLine& line : evaluation.lines) {
    if (line.forecast != "model" || !std::isfinite(line.score.rmse)) continue;
    const auto& deviations = run.statistics.of(line.variable).difference_deviation;
    sum += line.score.rmse / deviations.at(static_cast<int>(line.lead_hours)), ++count;
  }
  return count == 0 ? std::nan("") : sum / static_cast<double>(count);
}

bool note_score(Validation& validation, double score, int64_t step) {
  validation.evaluated = step;
  ++validation.without;
  if (!(score < validation.best)) return false;
  validation.best = score, validation.best_step = step, validation.without = 0;
  return true;
}

}  // namespace graticule

// Scores of a trained model on held-out times, beside persistence and climatology, by variable and lead.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "graticule/comm/launch.h"
#include "graticule/train/metrics.h"
#include "graticule/train/run.h"

namespace graticule {

struct EvaluationOptions {
  TimeRange range;                    ///< initial time and every valid time lie inside
  std::optional<int64_t> lead_hours;  ///< one of the recipe's; its first where absent
  int64_t steps = 1;                  ///< leads scored: lead, 2 lead, ... by roll-out
  int64_t max_samples = 0;            ///< initial times, spread evenly; 0: all
  Convention convention = Convention::wb2;
  bool baselines = true;  ///< persistence and climatology too
};

struct ScoreLine {
  std::string variable;
  int64_t lead_hours;
  std::string forecast;  ///< "model", "persistence", "climatology"
  Score score;
  TimeScores by_time;  ///< one of each initial time
  std::string units;
};

struct Evaluation {
  std::vector<ScoreLine> lines;
  std::vector<std::string> gaps;  ///< a sentence for each variable and lead without a score: which, and why
  std::vector<int64_t> initial_times;
  int lead_hours = 0;       ///< of one step
  std::string climatology;  ///< what it was made of
};

/// The same result on every rank; collective. Refuses a range without a sample, and a lead that is none of
/// the recipe's. Fails when the model gives a value that is not finite.
Evaluation evaluate(Run& run, const World& world, const EvaluationOptions& options);

}  // namespace graticule

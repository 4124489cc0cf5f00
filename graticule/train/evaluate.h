// Scores a trained model on held-out times, and compares it with persistence (the initial state) and
// climatology, for each variable and lead. `graticule eval` and the evaluations during training use it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "graticule/comm/launch.h"
#include "graticule/train/metrics.h"
#include "graticule/train/run.h"

namespace graticule {

struct EvaluationOptions {
  TimeRange range;                    ///< contains the initial time and every valid time
  std::optional<int64_t> lead_hours;  ///< one of the recipe's; absent: its first
  int64_t steps = 1;                  ///< number of leads to score: lead, 2 lead, ... by roll-out
  int64_t max_samples = 0;            ///< initial times, spread evenly; 0: all
  Convention convention = Convention::wb2;
  bool baselines = true;  ///< also score persistence and climatology; false: no ACC either
};

struct ScoreLine {
  std::string variable;
  int64_t lead_hours;
  std::string forecast;  ///< "model", "persistence" or "climatology"
  Score score;
  TimeScores by_time;  ///< one entry for each initial time
  std::string units;
};

struct Evaluation {
  std::vector<ScoreLine> lines;
  std::vector<std::string> gaps;  ///< a sentence for each variable and lead without a score, with the reason
  std::vector<int64_t> initial_times;
  int lead_hours = 0;       ///< of one step
  std::string climatology;  ///< Climatology::description
};

/// Scores all target variables. Every rank returns the same result. Refuses a range without a sample, and a
/// lead that is not in the recipe. Fails when the model gives a value that is not finite. Collective over the
/// world.
Evaluation evaluate(Run& run, const World& world, const EvaluationOptions& options);

}  // namespace graticule

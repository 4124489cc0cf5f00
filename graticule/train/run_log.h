// Writes the records of a run while it trains: metrics.jsonl, TensorBoard events, log.txt, and the line on
// the terminal. Only rank 0 makes one.
#pragma once

#include <fstream>
#include <memory>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "graticule/train/evaluate.h"
#include "graticule/train/event_writer.h"
#include "graticule/train/step.h"
#include "graticule/train/task.h"

namespace graticule {

/// Measurements of one step, besides its result.
struct StepMeasures {
  double step_s = 0;              ///< seconds since the step before
  double tokens_per_s = 0;        ///< tokens of all samples of all ranks
  double waited_s = 0;            ///< seconds that this rank waited for data
  int64_t memory_bytes = 0;       ///< the largest peak of any rank's process
  int64_t tensor_peak_bytes = 0;  ///< the largest peak of any rank's tensors, by its ledger
};

class RunLog {
 public:
  /// Appends to the files of `folder`. `loss`: what progress lines call the loss. `json`: prints one JSON
  /// object a line on standard output instead of progress text. Fails when a file cannot be written.
  RunLog(const std::string& folder, std::string loss, bool json);

  /// Records one step of `steps`.
  void step(int64_t step, int64_t steps, const StepResult& result, const StepMeasures& measures);
  /// Records the scores of an evaluation after a step.
  void evaluation(int64_t step, const Evaluation& evaluation);
  /// The same for tasks that do not look ahead.
  void scores(int64_t step, const std::vector<TaskScore>& scores);
  /// Records the validation score of a step, which `validation` has noted, and says it.
  void validation(int64_t step, double score, const Validation& validation);
  /// Records a step that updated nothing; `kind`: "skipped" or "rewound".
  void bad(int64_t step, const std::string& kind, const StepResult& result);
  /// Puts aside the lines of metrics.jsonl after `step`, that of the checkpoint `parent` (start_record in
  /// history.h), because the run goes on from there.
  void rewind(const std::string& parent, int64_t step);
  /// Writes a sentence to the terminal and to log.txt. A closed terminal is ignored.
  void say(const std::string& sentence);

 private:
  void line(const std::string& json_text);
  void show(const std::string& characters) const;
  std::string folder_, loss_;
  bool terminal_;
  bool json_;
  std::ofstream metrics_, log_;
  EventWriter events_;
};

/// One score as JSON, as metrics.jsonl and scores.json contain it; a score that is NaN becomes null.
nlohmann::json to_json(const ScoreLine& line);
nlohmann::json to_json(const TaskScore& score);

}  // namespace graticule

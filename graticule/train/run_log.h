// What a run leaves behind while it goes: metrics.jsonl, TensorBoard events, log.txt, and the line on the
// terminal. Only rank 0 makes one.
#pragma once

#include <fstream>
#include <memory>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "graticule/train/evaluate.h"
#include "graticule/train/event_writer.h"
#include "graticule/train/step.h"

namespace graticule {

/// The measures of one step besides its result.
struct StepMeasures {
  double step_s = 0;              ///< seconds since the step before
  double tokens_per_s = 0;        ///< tokens of all samples of all ranks
  double waited_s = 0;            ///< seconds that this rank waited for data
  int64_t memory_bytes = 0;       ///< the largest peak of any rank's process
  int64_t tensor_peak_bytes = 0;  ///< the largest peak of any rank's tensors, by its ledger
};

class RunLog {
 public:
  /// Appends to the files of `folder`. `json`: one JSON object a line on standard output instead of progress
  /// text.
  RunLog(const std::string& folder, bool json);

  void step(int64_t step, int64_t steps, const StepResult& result, const StepMeasures& measures);
  void evaluation(int64_t step, const Evaluation& evaluation);
  /// A sentence: terminal and log.txt. A terminal that is gone loses it and ends nothing.
  void say(const std::string& sentence);

 private:
  void line(const std::string& json_text);
  void show(const std::string& characters) const;
  bool terminal_;
  bool json_;
  std::ofstream metrics_, log_;
  EventWriter events_;
};

/// An evaluation as JSON, as metrics lines and scores.json hold it.
nlohmann::json to_json(const ScoreLine& line);

}  // namespace graticule

// Reads what a span of tokens needs, and nothing else: for each of their variables the rows under their
// patches. Beside its results a reader holds the rows of one variable, now and later, and those of the
// constants.
//
// Legend: T this rank's tokens, K variables a token carries, P pixels of a patch.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>
#include <vector>

#include "graticule/data/loader.h"
#include "graticule/data/sample_order.h"

namespace graticule {

class TokenReader {
 public:
  /// Refuses a variable that is not there, a target that is no input, and missing statistics.
  TokenReader(Source& source, const Statistics& statistics, const LoaderOptions& options);

  /// Writes the normalised state of one time (T K P values), NaN where a value is missing and off the grid.
  void read_state(int64_t time_index, float* state_TKP);
  /// Writes input and target of one sample (`target_TKP` comes as zeros) and gives its weights (T K P): one
  /// tensor for all samples, unless a value is missing.
  at::Tensor read_sample(const SampleOrder::Sample& sample, float* input_TKP, float* target_TKP);

 private:
  // What the span needs of one variable.
  struct Piece {
    std::string variable;
    bool constant, target;
    int64_t offset;  // of its first patch in T K P, in floats
    Span places, rows;
    VariableStatistics statistics;
  };
  // Gives how many values are missing (of a constant, which is no target, when it is first read).
  int64_t read_rows(const Piece& piece, int64_t time_index, std::vector<float>& rows);
  void cut(const Piece& piece, std::span<const float> rows, float* out_TKP, float off_grid = 0) const;
  void read_target(const Piece& piece, const SampleOrder::Sample& sample, bool missing_now, float* target_TKP,
                   at::Tensor& weight_TKP);
  std::vector<float> weights_of(const Piece& piece) const;

  Source& source_;
  TokenGrid grid_;
  Predict predict_;
  Missing missing_;
  std::vector<Piece> pieces_;
  std::vector<double> weights_;                          // by row
  at::Tensor weight_TKP_;                                // where nothing is missing
  std::map<std::string, std::vector<float>> constants_;  // rows read once
  std::vector<float> now_, later_;                       // rows of one variable
};

}  // namespace graticule

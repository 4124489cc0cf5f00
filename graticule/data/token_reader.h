// Reads what a span of tokens needs and nothing else: for each variable of these tokens, the rows under their
// patches. Loader and read_tokens (loader.h) use it. In memory it keeps the constants' rows and two buffers
// of the rows of one variable (now and later).
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
  /// Refuses an unknown variable, a target that is not among the inputs, and missing statistics. Each rank
  /// checks all names, so all ranks refuse alike. `source` must outlive the reader.
  TokenReader(Source& source, const Statistics& statistics, const LoaderOptions& options);

  /// Writes the normalised state of one time into `state_TKP` (T K P floats): NaN where a value is missing or
  /// off the grid.
  void read_state(int64_t time_index, float* state_TKP);
  /// Writes input and target of one sample, normalised, T K P floats each; `target_TKP` must contain zeros.
  /// Returns the sample's weights (T K P): the same tensor for all samples, except for a sample with missing
  /// target values.
  at::Tensor read_sample(const SampleOrder::Sample& sample, float* input_TKP, float* target_TKP);

 private:
  // One variable of this rank's tokens.
  struct Piece {
    std::string variable;
    bool constant, target;
    double weight;   // of a target in the loss
    int64_t offset;  // of its first patch in T K P, in floats
    Span places, rows;
    VariableStatistics statistics;
  };
  // Returns the number of missing values (for a constant only at its first read; a constant is never a
  // target).
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

// Reads what a span of tokens needs, and nothing else: for each of their variables the rows under their
// patches.
//
// Legend: T this rank's tokens, K variables a token carries, P pixels of a patch.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "graticule/data/loader.h"
#include "graticule/data/sample_order.h"

namespace graticule {

class TokenReader {
 public:
  /// Refuses a variable that is not there, a target that is no input, and missing statistics.
  TokenReader(Source& source, const Statistics& statistics, const LoaderOptions& options);

  /// Writes the normalised input of one time (T K P values).
  void read_input(int64_t time_index, float* input_TKP);
  /// Writes input, target and weight of one sample.
  void read_sample(const SampleOrder::Sample& sample, float* input_TKP, float* target_TKP, float* weight_TKP);

 private:
  // What the span needs of one variable.
  struct Piece {
    std::string variable;
    bool constant, target;
    int64_t offset;  // of its first patch in T K P, in floats
    Span places, rows;
    VariableStatistics statistics;
  };
  std::vector<float> read_rows(const Piece& piece, int64_t time_index);
  void cut(const Piece& piece, std::span<const float> values, float* out_TKP) const;

  Source& source_;
  TokenGrid grid_;
  Predict predict_;
  Missing missing_;
  std::vector<Piece> pieces_;
  std::vector<double> weights_;                          // by row
  std::map<std::string, std::vector<float>> constants_;  // rows read once
};

}  // namespace graticule

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

/// Where the fields of one sample go (loader.h): pointers to as many zeros as the field has values.
struct SampleFields {
  float* input_TKI;
  float* unit_TKP;  ///< null without later steps
  struct Step {
    float* given_TKP;  ///< null in the first step
    float* target_TKP;
    at::Tensor weight_TKP;  ///< the same tensor for all samples and steps, unless target values are missing
  };
  std::vector<Step> steps;
};

class TokenReader {
 public:
  /// Refuses an unknown variable, a target that is not among the inputs, and missing statistics. Each rank
  /// checks all names, so all ranks refuse alike. `source` must outlive the reader.
  TokenReader(Source& source, const Statistics& statistics, const LoaderOptions& options);

  /// Writes the normalised input of the times `states` (indices, the present one first) into `input_TKI`,
  /// which must contain zeros. Where a value is missing or off the grid it is NaN, or 0 with `fill`.
  void read_input(const std::vector<int64_t>& states, bool fill, float* input_TKI);
  /// Writes the fields of one sample, normalised, and sets their weights.
  void read_sample(const SampleOrder::Sample& sample, SampleFields& fields);

 private:
  // The labels of a sample (LoaderOptions::labels) in place of a target: whole numbers, not normalised.
  void read_labels(const SampleOrder::Sample& sample, SampleFields::Step& fields);
  // One variable of this rank's tokens.
  struct Piece {
    std::string variable;
    bool constant, target;
    double weight;  // of a target in the loss
    int64_t first;  // of T K, its first patch
    Span places, rows;
    VariableStatistics statistics;
  };
  // Returns the number of missing values. Keeps a constant without any.
  int64_t read_rows(const Piece& piece, int64_t time_index, std::vector<float>& rows);
  bool cropped() const;
  void cut(const Piece& piece, std::span<const float> rows, float* out_TKP, float off_grid = 0) const;
  void cut_label(std::span<const float> rows, float* out_T1P) const;
  void cut_state(const Piece& piece, std::span<const float> rows, int64_t state, float* input_TKI,
                 float off_grid) const;
  void read_past(const Piece& piece, const std::vector<int64_t>& states, bool fill, float* input_TKI);
  void read_given(const Piece& piece, const SampleOrder::Sample& sample, SampleFields& fields);
  void read_target(const Piece& piece, const SampleOrder::Sample& sample, size_t step, bool missing_now,
                   SampleFields::Step& fields);
  double unit_of(const Piece& piece, int lead_hours) const;
  std::vector<float> weights_of(const Piece& piece) const;
  void cut_weights(const at::Tensor& weight_TKP) const;

  Source& source_;
  TokenGrid grid_;
  Predict predict_;
  Missing missing_;
  std::vector<Piece> pieces_;
  std::string labels_;  // "": none
  Piece label_piece_;
  int64_t classes_;
  std::vector<double> weights_;                          // by row
  Tile tile_;                                            // of the sample that is read
  bool tiles_;                                           // tiles count in part
  at::Tensor weight_TKP_;                                // where nothing is missing
  std::map<std::string, std::vector<float>> constants_;  // rows read once
  std::vector<float> now_, later_;                       // rows of one variable
};

}  // namespace graticule

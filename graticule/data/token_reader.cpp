#include "graticule/data/token_reader.h"

#include <algorithm>
#include <cmath>

#include "graticule/core/error.h"
#include "graticule/data/patches.h"
#include "graticule/data/time.h"

namespace graticule {

namespace {

// (x - mean) / deviation, 0 where x is missing.
std::vector<float> normalised(const std::vector<float>& values, const VariableStatistics& statistics) {
  std::vector<float> result(values.size());
  const auto mean = static_cast<float>(statistics.mean), scale = static_cast<float>(1 / statistics.deviation);
  for (size_t i = 0; i < values.size(); ++i)
    result[i] = std::isnan(values[i]) ? 0 : (values[i] - mean) * scale;
  return result;
}

void require_statistics(const std::string& variable, const VariableStatistics& statistics,
                        const LoaderOptions& options) {
  for (const int lead : options.lead_hours) {
    if (!statistics.difference_deviation.contains(lead)) {
      refuse("data", "no statistics of the differences of ", variable, " over ", lead,
             " hours: make them for this lead (graticule data stats), or remove the run's statistics.json");
    }
  }
}

}  // namespace

TokenReader::TokenReader(Source& source, const Statistics& statistics, const LoaderOptions& options)
    : source_(source), grid_(options.grid), predict_(options.predict), missing_(options.missing) {
  const Catalog& catalog = source.catalog();
  GRATICULE_CHECK(grid_.variables == static_cast<int64_t>(options.variables.size()));
  GRATICULE_CHECK(grid_.rows == static_cast<int64_t>(catalog.latitudes.size()));
  GRATICULE_CHECK(grid_.columns == static_cast<int64_t>(catalog.longitudes.size()));
  GRATICULE_CHECK(options.tokens.begin >= 0 && options.tokens.end <= grid_.tokens());
  weights_ = latitude_weights(catalog.latitudes);

  // Every rank checks every name, so that all reach the same verdict.
  for (const std::string& variable : options.variables) {
    catalog.index_of(variable);
    statistics.of(variable);
  }
  for (const std::string& target : options.targets) {
    const auto& inputs = options.variables;
    if (std::find(inputs.begin(), inputs.end(), target) == inputs.end()) {
      refuse("data", "target ", target, " is no input variable: add it to variables, or did you mean ",
             nearest_name(target, inputs), "?");
    }
    if (predict_ == Predict::difference) require_statistics(target, statistics.of(target), options);
  }

  const Span held = grid_.variables_of(options.tokens);
  for (int64_t v = held.begin; v < held.end; ++v) {
    const std::string& name = options.variables[static_cast<size_t>(v)];
    const Span tokens = grid_.tokens_of(options.tokens, v);
    if (tokens.empty()) continue;
    const bool own = grid_.mode == TokenMode::full;  // a token carries its own variable only
    const int64_t first = own ? v * grid_.places() : 0;
    const Span places = {tokens.begin - first, tokens.end - first};
    const int64_t k = own ? 0 : v;
    const int64_t offset =
        ((tokens.begin - options.tokens.begin) * grid_.variables_per_token() + k) * grid_.pixels();
    const bool target =
        std::find(options.targets.begin(), options.targets.end(), name) != options.targets.end();
    pieces_.push_back({name, catalog.variables[catalog.index_of(name)].constant, target, offset, places,
                       rows_of_places(grid_, places), statistics.of(name)});
  }
}

std::vector<float> TokenReader::read_rows(const Piece& piece, int64_t time_index) {
  if (const auto known = constants_.find(piece.variable); known != constants_.end()) return known->second;
  std::vector<float> values(static_cast<size_t>(piece.rows.size() * grid_.columns));
  source_.read(piece.variable, time_index, piece.rows, values);
  const auto missing = std::count_if(values.begin(), values.end(), [](float x) { return std::isnan(x); });
  if (missing > 0 && missing_ == Missing::refuse) {
    const Catalog& catalog = source_.catalog();
    const std::string when =
        piece.constant ? "(constant)" : "at " + format_time(catalog.times[static_cast<size_t>(time_index)]);
    refuse("data", piece.variable, " ", when, " has ", missing, " missing values of ", values.size(),
           " read from ", catalog.path,
           ": set data.missing = \"mean\" to fill them with the mean (they then count nothing in the loss), ",
           "or leave the variable out");
  }
  if (piece.constant) constants_[piece.variable] = values;
  return values;
}

void TokenReader::cut(const Piece& piece, std::span<const float> values, float* out_TKP) const {
  cut_patches(values, piece.rows, grid_, piece.places, out_TKP + piece.offset,
              grid_.variables_per_token() * grid_.pixels());
}

void TokenReader::read_input(int64_t time_index, float* input_TKP) {
  for (const Piece& piece : pieces_)
    cut(piece, normalised(read_rows(piece, time_index), piece.statistics), input_TKP);
}

void TokenReader::read_sample(const SampleOrder::Sample& sample, float* input_TKP, float* target_TKP,
                              float* weight_TKP) {
  for (const Piece& piece : pieces_) {
    const std::vector<float> now = read_rows(piece, sample.time_index);
    cut(piece, normalised(now, piece.statistics), input_TKP);
    std::vector<float> target(now.size(), 0), weight(now.size(), 0);
    if (piece.target) {
      target = read_rows(piece, sample.later_index);
      VariableStatistics scale = piece.statistics;
      if (predict_ == Predict::difference) {
        for (size_t i = 0; i < target.size(); ++i) target[i] -= now[i];
        scale.mean = 0;
        scale.deviation = scale.difference_deviation.at(sample.lead_hours);
      }
      for (size_t i = 0; i < target.size(); ++i) {
        const size_t y = static_cast<size_t>(piece.rows.begin) + i / static_cast<size_t>(grid_.columns);
        weight[i] = std::isnan(target[i]) ? 0 : static_cast<float>(weights_[y]);
      }
      target = normalised(target, scale);
    }
    cut(piece, target, target_TKP);
    cut(piece, weight, weight_TKP);
  }
}

at::Tensor read_tokens(Source& source, const Statistics& statistics, const LoaderOptions& options,
                       int64_t time_index) {
  at::Tensor input_TKP =
      at::empty({options.tokens.size(), options.grid.variables_per_token(), options.grid.pixels()});
  LoaderOptions inputs = options;
  inputs.targets.clear();
  TokenReader(source, statistics, inputs).read_input(time_index, input_TKP.mutable_data_ptr<float>());
  return input_TKP;
}

}  // namespace graticule

#include "graticule/data/token_reader.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "graticule/core/error.h"
#include "graticule/data/patches.h"

namespace graticule {

namespace {

// Replaces x by (x - mean) / deviation, and by `none` where x is missing.
void normalise(std::vector<float>& values, double mean, double deviation, float none = 0) {
  const auto centre = static_cast<float>(mean), scale = static_cast<float>(1 / deviation);
  for (float& x : values) x = std::isnan(x) ? none : (x - centre) * scale;
}

// Reads rows of one variable and returns the number of missing values (NaN; refused unless allowed). Infinite
// values are always refused, because a model cannot learn from them.
int64_t read_checked(Source& source, const std::string& variable, int64_t time_index, const Span& rows,
                     Missing allowed, std::span<float> out) {
  source.read(variable, time_index, rows, out);
  int64_t missing = 0, infinite = 0;
  for (const float x : out) {
    missing += std::isnan(x) ? 1 : 0;
    infinite += std::isinf(x) ? 1 : 0;
  }
  const Catalog& catalog = source.catalog();
  if (infinite > 0)
    refuse_values(catalog, variable, time_index, infinite, out.size(), "infinite", way_out_of_infinite);
  if (missing > 0 && allowed == Missing::refuse) {
    refuse_values(
        catalog, variable, time_index, missing, out.size(), "missing",
        "set data.missing = \"mean\" to fill them with the mean (they then count nothing in the loss), "
        "or leave the variable out");
  }
  return missing;
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

  // Every rank checks all names, not only those of its tokens, so that all ranks refuse alike.
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
    const Span tokens = grid_.tokens_of(options.tokens, v), places = places_of(grid_, options.tokens, v);
    if (tokens.empty()) continue;
    const int64_t k = grid_.mode == TokenMode::full ? 0 : v;
    const int64_t offset =
        ((tokens.begin - options.tokens.begin) * grid_.variables_per_token() + k) * grid_.pixels();
    const auto number = static_cast<size_t>(std::find(options.targets.begin(), options.targets.end(), name) -
                                            options.targets.begin());
    const bool target = number < options.targets.size();
    const double weight = target && !options.target_weights.empty() ? options.target_weights.at(number) : 1;
    pieces_.push_back({name, catalog.variables[catalog.index_of(name)].constant, target, weight, offset,
                       places, rows_of_places(grid_, places), statistics.of(name)});
  }
  weight_TKP_ = at::zeros({options.tokens.size(), grid_.variables_per_token(), grid_.pixels()});
  for (const Piece& piece : pieces_) {
    if (piece.target) cut(piece, weights_of(piece), weight_TKP_.mutable_data_ptr<float>());
  }
}

std::vector<float> TokenReader::weights_of(const Piece& piece) const {
  std::vector<float> rows;
  for (int64_t y = piece.rows.begin; y < piece.rows.end; ++y) {
    rows.insert(rows.end(), static_cast<size_t>(grid_.columns),
                static_cast<float>(weights_[static_cast<size_t>(y)] * piece.weight));
  }
  return rows;
}

int64_t TokenReader::read_rows(const Piece& piece, int64_t time_index, std::vector<float>& rows) {
  if (const auto known = constants_.find(piece.variable); known != constants_.end()) {
    rows = known->second;
    return 0;
  }
  rows.resize(static_cast<size_t>(piece.rows.size() * grid_.columns));
  const int64_t missing = read_checked(source_, piece.variable, time_index, piece.rows, missing_, rows);
  if (piece.constant) constants_[piece.variable] = rows;
  return missing;
}

void TokenReader::cut(const Piece& piece, std::span<const float> rows, float* out_TKP, float off_grid) const {
  cut_patches(rows, piece.rows, grid_, piece.places, out_TKP + piece.offset,
              grid_.variables_per_token() * grid_.pixels(), off_grid);
}

void TokenReader::read_state(int64_t time_index, float* state_TKP) {
  constexpr float none = std::numeric_limits<float>::quiet_NaN();
  for (const Piece& piece : pieces_) {
    read_rows(piece, time_index, now_);
    normalise(now_, piece.statistics.mean, piece.statistics.deviation, none);
    cut(piece, now_, state_TKP, none);
  }
}

// Needs the rows at the initial time in now_.
void TokenReader::read_target(const Piece& piece, const SampleOrder::Sample& sample, bool missing_now,
                              float* target_TKP, at::Tensor& weight_TKP) {
  const bool difference = predict_ == Predict::difference;
  const bool missing = read_rows(piece, sample.later_index, later_) > 0 || (difference && missing_now);
  for (size_t i = 0; difference && i < later_.size(); ++i) later_[i] -= now_[i];
  if (missing) {
    std::vector<float> weights = weights_of(piece);
    for (size_t i = 0; i < weights.size(); ++i) weights[i] = std::isnan(later_[i]) ? 0 : weights[i];
    if (weight_TKP.is_same(weight_TKP_)) weight_TKP = weight_TKP_.clone();
    cut(piece, weights, weight_TKP.mutable_data_ptr<float>());
  }
  normalise(
      later_, difference ? 0 : piece.statistics.mean,
      difference ? piece.statistics.difference_deviation.at(sample.lead_hours) : piece.statistics.deviation);
  cut(piece, later_, target_TKP);
}

at::Tensor TokenReader::read_sample(const SampleOrder::Sample& sample, float* input_TKP, float* target_TKP) {
  at::Tensor weight_TKP = weight_TKP_;
  for (const Piece& piece : pieces_) {
    const bool missing_now = read_rows(piece, sample.time_index, now_) > 0;
    if (piece.target) read_target(piece, sample, missing_now, target_TKP, weight_TKP);
    normalise(now_, piece.statistics.mean, piece.statistics.deviation);
    cut(piece, now_, input_TKP);
  }
  return weight_TKP;
}

at::Tensor read_tokens(Source& source, const Statistics& statistics, const LoaderOptions& options,
                       int64_t time_index) {
  at::Tensor state_TKP =
      at::empty({options.tokens.size(), options.grid.variables_per_token(), options.grid.pixels()});
  LoaderOptions inputs = options;
  inputs.targets.clear();
  TokenReader(source, statistics, inputs).read_state(time_index, state_TKP.mutable_data_ptr<float>());
  return state_TKP;
}

at::Tensor read_patches(Source& source, const LoaderOptions& options, int64_t variable, int64_t time_index,
                        const VariableStatistics* statistics) {
  const TokenGrid& grid = options.grid;
  const Span places = places_of(grid, options.tokens, variable), rows = rows_of_places(grid, places);
  at::Tensor patches_tP = at::empty({places.size(), grid.pixels()});
  if (places.empty()) return patches_tP;
  std::vector<float> values(static_cast<size_t>(rows.size() * grid.columns));
  read_checked(source, options.variables[static_cast<size_t>(variable)], time_index, rows, options.missing,
               values);
  if (statistics) normalise(values, statistics->mean, statistics->deviation);
  cut_patches(values, rows, grid, places, patches_tP.mutable_data_ptr<float>(), grid.pixels());
  return patches_tP;
}

}  // namespace graticule

#include "graticule/data/token_reader.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "graticule/core/error.h"
#include "graticule/data/patches.h"
#include "graticule/data/time.h"

namespace graticule {

namespace {

constexpr float none = std::numeric_limits<float>::quiet_NaN();

// Replaces x by (x - mean) / deviation, and by `missing` where it is.
void normalise(std::vector<float>& values, double mean, double deviation, float missing = 0) {
  const auto centre = static_cast<float>(mean), scale = static_cast<float>(1 / deviation);
  for (float& x : values) x = std::isnan(x) ? missing : (x - centre) * scale;
}

// Reads rows of one variable and returns the number of missing values (NaN; refused unless allowed). Infinite
// values are always refused, because a model cannot learn from them.
int64_t read_checked(Source& source, const TokenGrid& grid, const std::string& variable, int64_t time_index,
                     const Crop& crop, const Span& rows, Missing allowed, std::span<float> out) {
  read_crop(source, grid, variable, time_index, crop, rows, out);
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
    : source_(source),
      grid_(options.grid),
      predict_(options.predict),
      missing_(options.missing),
      labels_(options.labels),
      classes_(options.classes),
      tile_(middle_tile(source.catalog(), options.grid)),
      tiles_(options.tiles) {
  const Catalog& catalog = source.catalog();
  GRATICULE_CHECK(grid_.variables == static_cast<int64_t>(options.variables.size()));
  GRATICULE_CHECK(grid_.kind == catalog.grid);
  GRATICULE_CHECK(options.tokens.begin >= 0 && options.tokens.end <= grid_.tokens());
  weights_ = area_weights(catalog, grid_);

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
    const int64_t first = (tokens.begin - options.tokens.begin) * grid_.variables_per_token() + k;
    const auto number = static_cast<size_t>(std::find(options.targets.begin(), options.targets.end(), name) -
                                            options.targets.begin());
    const bool target = number < options.targets.size();
    const double weight = target && !options.target_weights.empty() ? options.target_weights.at(number) : 1;
    pieces_.push_back({name, catalog.variables[catalog.index_of(name)].constant, target, weight, first,
                       places, rows_of_places(grid_, places), statistics.of(name)});
  }
  if (!labels_.empty()) {
    catalog.index_of(labels_);
    GRATICULE_CHECK(grid_.tokens() == grid_.places(), "labels belong to places");
    const Span places = places_of(grid_, options.tokens, 0);
    label_piece_ = {labels_, false, true, 1, 0, places, rows_of_places(grid_, places), {}};
  }
  weight_TKP_ = at::zeros(target_sizes(options));
  if (!options.target_of_time.empty())
    weight_TKP_.fill_(options.tokens.begin == 0 && !options.tokens.empty() ? 1 : 0);
  else
    cut_weights(weight_TKP_);
}

// Of all that counts of the tile, into zeros.
void TokenReader::cut_weights(const at::Tensor& weight_TKP) const {
  if (!labels_.empty()) cut_label(weights_of(label_piece_), weight_TKP.mutable_data_ptr<float>());
  for (const Piece& piece : pieces_) {
    if (piece.target) cut(piece, weights_of(piece), weight_TKP.mutable_data_ptr<float>());
  }
}

std::vector<float> TokenReader::weights_of(const Piece& piece) const {
  const auto holds = [](const Span& span, int64_t i) { return i >= span.begin && i < span.end; };
  std::vector<float> rows(static_cast<size_t>(piece.rows.size() * grid_.columns));
  for (int64_t y = piece.rows.begin; y < piece.rows.end; ++y) {
    if (!holds(tile_.layers, y / grid_.rows) || !holds(tile_.rows, y % grid_.rows)) continue;
    std::fill_n(rows.begin() + (y - piece.rows.begin) * grid_.columns + tile_.columns.begin,
                tile_.columns.size(), static_cast<float>(weights_[static_cast<size_t>(y)] * piece.weight));
  }
  return rows;
}

int64_t TokenReader::read_rows(const Piece& piece, int64_t time_index, std::vector<float>& rows) {
  if (const auto known = constants_.find(piece.variable); known != constants_.end()) {
    rows = known->second;
    return 0;
  }
  rows.resize(static_cast<size_t>(piece.rows.size() * grid_.columns));
  const int64_t missing = read_checked(source_, grid_, piece.variable, time_index, tile_.begin, piece.rows,
                                       piece.variable == labels_ ? Missing::mean : missing_, rows);
  if (piece.constant && missing == 0 && !cropped()) constants_[piece.variable] = rows;
  return missing;
}

bool TokenReader::cropped() const {
  const Crop room = largest_begin(source_.catalog(), grid_);
  return room.layer > 0 || room.row > 0 || room.column > 0;
}

void TokenReader::cut(const Piece& piece, std::span<const float> rows, float* out_TKP, float off_grid) const {
  const int64_t P = grid_.pixels();
  cut_patches(rows, piece.rows, grid_, piece.places, out_TKP + piece.first * P,
              grid_.variables_per_token() * P, off_grid);
}

void TokenReader::cut_state(const Piece& piece, std::span<const float> rows, int64_t state, float* input_TKI,
                            float off_grid) const {
  const int64_t I = grid_.inputs();
  cut_patches(rows, piece.rows, grid_, piece.places, input_TKI + piece.first * I + state * grid_.pixels(),
              grid_.variables_per_token() * I, off_grid);
}

void TokenReader::cut_label(std::span<const float> rows, float* out_T1P) const {
  cut_patches(rows, label_piece_.rows, grid_, label_piece_.places, out_T1P, grid_.pixels(), 0);
}

// The states before the present one, the earliest first: so chunks are read in the order of time.
void TokenReader::read_past(const Piece& piece, const std::vector<int64_t>& states, bool fill,
                            float* input_TKI) {
  for (int64_t n = std::ssize(states) - 1; n > 0 && piece.target; --n) {
    read_rows(piece, states[static_cast<size_t>(n)], now_);
    normalise(now_, piece.statistics.mean, piece.statistics.deviation, fill ? 0 : none);
    cut_state(piece, now_, n, input_TKI, fill ? 0 : none);
  }
}

void TokenReader::read_input(const std::vector<int64_t>& states, bool fill, float* input_TKI) {
  for (const Piece& piece : pieces_) {
    read_past(piece, states, fill, input_TKI);
    read_rows(piece, states.front(), now_);
    normalise(now_, piece.statistics.mean, piece.statistics.deviation, fill ? 0 : none);
    cut_state(piece, now_, 0, input_TKI, fill ? 0 : none);
  }
}

// The unit of the model's output, in that of the variable.
double TokenReader::unit_of(const Piece& piece, int lead_hours) const {
  return predict_ == Predict::difference ? piece.statistics.difference_deviation.at(lead_hours)
                                         : piece.statistics.deviation;
}

// Needs the rows at the initial time in now_. Later steps have the state itself as their target, because they
// do not begin at a state of the data.
void TokenReader::read_target(const Piece& piece, const SampleOrder::Sample& sample, size_t step,
                              bool missing_now, SampleFields::Step& fields) {
  const bool difference = predict_ == Predict::difference && step == 0, needs_now = difference || step > 0;
  const bool present = sample.later[step] == sample.states.front();  // tasks without a lead
  if (present) later_ = now_;
  const bool missing = (present ? missing_now : read_rows(piece, sample.later[step], later_) > 0) ||
                       (needs_now && missing_now);
  for (size_t i = 0; needs_now && i < later_.size(); ++i) {
    if (difference) later_[i] -= now_[i];
    if (std::isnan(now_[i])) later_[i] = none;
  }
  if (missing) {
    std::vector<float> weights = weights_of(piece);
    for (size_t i = 0; i < weights.size(); ++i) weights[i] = std::isnan(later_[i]) ? 0 : weights[i];
    if (fields.weight_TKP.is_same(weight_TKP_)) fields.weight_TKP = weight_TKP_.clone();
    cut(piece, weights, fields.weight_TKP.mutable_data_ptr<float>());
  }
  normalise(later_, difference ? 0 : piece.statistics.mean, unit_of(piece, sample.lead_hours));
  cut(piece, later_, fields.target_TKP);
}

// What the later steps read of a variable that is no target.
void TokenReader::read_given(const Piece& piece, const SampleOrder::Sample& sample, SampleFields& fields) {
  for (size_t step = 1; step < fields.steps.size(); ++step) {
    read_rows(piece, sample.later[step - 1], later_);
    normalise(later_, piece.statistics.mean, piece.statistics.deviation);
    cut(piece, later_, fields.steps[step].given_TKP);
  }
}

void TokenReader::read_labels(const SampleOrder::Sample& sample, SampleFields::Step& fields) {
  if (label_piece_.places.empty()) return;
  const int64_t time = sample.states.front();
  read_rows(label_piece_, time, now_);
  std::vector<float> weights = weights_of(label_piece_);
  bool missing = false;
  for (size_t i = 0; i < now_.size(); ++i) {
    if (std::isnan(now_[i])) {
      now_[i] = 0, weights[i] = 0, missing = true;
    } else if (!(now_[i] >= 0 && now_[i] < static_cast<float>(classes_) && now_[i] == std::floor(now_[i]))) {
      const Catalog& catalog = source_.catalog();
      refuse("data", catalog.path, ": ", labels_, " of ",
             format_time(catalog.times[static_cast<size_t>(time)], catalog.calendar),
             catalog.samples.empty() ? "" : " (" + catalog.samples[static_cast<size_t>(time)] + ")",
             " has the label ", now_[i], ", but task.classes = ", classes_,
             ": labels are whole numbers from 0 to ", classes_ - 1,
             "; raise task.classes, or write a missing value where there is no label");
    }
  }
  cut_label(now_, fields.target_TKP);
  if (!missing) return;
  fields.weight_TKP = weight_TKP_.clone();
  cut_label(weights, fields.weight_TKP.mutable_data_ptr<float>());
}

void TokenReader::read_sample(const SampleOrder::Sample& sample, SampleFields& fields) {
  tile_ = sample.tile;
  if (tiles_) cut_weights(weight_TKP_ = at::zeros_like(weight_TKP_));
  for (SampleFields::Step& step : fields.steps) step.weight_TKP = weight_TKP_;
  for (const Piece& piece : pieces_) {
    read_past(piece, sample.states, true, fields.input_TKI);
    const bool missing_now = read_rows(piece, sample.states.front(), now_) > 0;
    if (!piece.target) read_given(piece, sample, fields);
    for (size_t step = 0; step < fields.steps.size() && piece.target; ++step)
      read_target(piece, sample, step, missing_now, fields.steps[step]);
    if (piece.target && fields.unit_TKP) {
      const double unit = unit_of(piece, sample.lead_hours) / piece.statistics.deviation;
      for (size_t i = 0; i < now_.size(); ++i) later_[i] = std::isnan(now_[i]) ? 0 : static_cast<float>(unit);
      cut(piece, later_, fields.unit_TKP);
    }
    normalise(now_, piece.statistics.mean, piece.statistics.deviation);
    cut_state(piece, now_, 0, fields.input_TKI, 0);
  }
  if (!labels_.empty()) read_labels(sample, fields.steps.front());
}

at::Tensor read_tokens(Source& source, const Statistics& statistics, const LoaderOptions& options,
                       const std::vector<int64_t>& states) {
  at::Tensor input_TKI =
      at::zeros({options.tokens.size(), options.grid.variables_per_token(), options.grid.inputs()});
  TokenReader(source, statistics, options).read_input(states, false, input_TKI.mutable_data_ptr<float>());
  return input_TKI;
}

at::Tensor read_patches(Source& source, const LoaderOptions& options, int64_t variable, int64_t time_index,
                        const VariableStatistics* statistics) {
  const TokenGrid& grid = options.grid;
  const Span places = places_of(grid, options.tokens, variable), rows = rows_of_places(grid, places);
  at::Tensor patches_tP = at::empty({places.size(), grid.pixels()});
  if (places.empty()) return patches_tP;
  std::vector<float> values(static_cast<size_t>(rows.size() * grid.columns));
  read_checked(source, grid, options.variables[static_cast<size_t>(variable)], time_index,
               middle_crop(source.catalog(), grid), rows, options.missing, values);
  if (statistics) normalise(values, statistics->mean, statistics->deviation);
  cut_patches(values, rows, grid, places, patches_tP.mutable_data_ptr<float>(), grid.pixels());
  return patches_tP;
}

}  // namespace graticule

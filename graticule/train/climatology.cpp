#include "graticule/train/climatology.h"

#include <ATen/ops/full_like.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <span>

#include "graticule/core/error.h"
#include "graticule/data/patches.h"
#include "graticule/data/reading_order.h"
#include "graticule/data/time.h"

namespace graticule {

namespace {

constexpr int half_window = 30;
constexpr int64_t day_seconds = 86400;

double window_weight(int day, int other, Calendar calendar) {
  const int apart = std::abs(day - other);
  const int around = std::min(apart, longest_year(calendar) - apart);
  return std::max(0.0, 1.0 - around / static_cast<double>(half_window));
}

// Whether a calendar with leap years has no day after this one in this year.
bool last_day_of_common_year(int64_t time, Calendar calendar) {
  return day_of_year(time, calendar) + 1 == longest_year(calendar) &&
         day_of_year(time + day_seconds, calendar) == 1;
}

// Adds x to the running weighted mean of one variable (t P, fp64): m += (w / W) (x - m). The total weight W
// is one number until a value is missing, then t P.
void add(at::Tensor values, at::Tensor& total, const at::Tensor& x, const at::Tensor& seen, double weight) {
  if (!seen.defined() && total.dim() == 0) {
    total += weight;
    values.lerp_(x, weight / total.item<double>());
    return;
  }
  const at::Tensor w = seen.defined() ? seen.to(at::kDouble).mul_(weight) : at::full_like(x, weight);
  total = total + w;
  values += at::where(w > 0, w / total * (x - values), 0.0);
}

}  // namespace

Climatology::Climatology(Source& source, const LoaderOptions& options, const TimeRange& training,
                         const std::vector<int64_t>& valid_times, const Span& asked, ClimatologyKind kind,
                         int64_t bytes)
    : source_(source), options_(options), kind_(kind) {
  options_.missing = Missing::mean;  // so that NaN are read; add() leaves them out
  const auto& all = source.catalog().times;
  for (size_t i = 0; i < all.size(); ++i) {
    if (training.holds(all[i])) times_.push_back(static_cast<int64_t>(i));
  }
  if (times_.empty()) {
    refuse("climatology", "the data has no time from ",
           format_time(training.begin, source.catalog().calendar), " to ",
           format_time(training.end, source.catalog().calendar), ": choose a training range that it covers");
  }
  const Span held = options.grid.variables_of(options.tokens);
  for (int64_t v = held.begin; v < held.end; ++v) {
    const auto& targets = options.targets;
    const auto found = std::find(targets.begin(), targets.end(), options.variables[static_cast<size_t>(v)]);
    if (found != targets.end() && !options.grid.tokens_of(options.tokens, v).empty())
      targets_.push_back(*found);
  }
  const int64_t slot_bytes = options.tokens.size() * options.grid.variables_per_token() *
                             options.grid.pixels() * static_cast<int64_t>(sizeof(double));
  most_slots_ = static_cast<size_t>(std::max<int64_t>(1, bytes / std::max<int64_t>(1, slot_bytes)));
  choose_kind(valid_times);
  for (int64_t i = asked.begin; i < asked.end; ++i)
    asked_.push_back(slot_of(valid_times[static_cast<size_t>(i)]));
}

void Climatology::choose_kind(const std::vector<int64_t>& valid_times) {
  std::vector<int64_t> times;
  for (const int64_t i : times_) times.push_back(source_.catalog().times[static_cast<size_t>(i)]);
  const std::string range =
      text(times.size(), " training times from ", format_time(times.front(), source_.catalog().calendar),
           " to ", format_time(times.back(), source_.catalog().calendar));
  std::string reason;
  if (kind_ == ClimatologyKind::by_day_and_hour) {
    if (source_.catalog().calendar == Calendar::none)
      reason = "they have no dates";
    else if (times.back() - times.front() < (longest_year(source_.catalog().calendar) - 2) * day_seconds)
      reason = "they span less than a year";
    std::set<DayHour> slots;
    for (const int64_t time : valid_times) slots.insert(slot_of(time));
    for (const DayHour& slot : slots) {
      const auto counts = [&](int64_t time) { return weight_in(slot, time) > 0; };
      if (!reason.empty() || std::any_of(times.begin(), times.end(), counts)) continue;
      reason = text("none is within 30 days of day ", slot.first, " at ", slot.second, " h");
    }
  }
  if (!reason.empty()) kind_ = ClimatologyKind::time_mean;
  const bool by_day = kind_ == ClimatologyKind::by_day_and_hour;
  description_ = by_day
                     ? text("climatology by day of year (61-day triangular window) and hour, of ", range)
                     : text("climatology is the time mean of ", range, reason.empty() ? "" : ": " + reason);
}

Climatology::DayHour Climatology::slot_of(int64_t time) const {
  if (kind_ == ClimatologyKind::time_mean) return {0, 0};
  return {day_of_year(time, source_.catalog().calendar), hour_of_day(time)};
}

double Climatology::weight_in(const DayHour& slot, int64_t time) const {
  if (kind_ == ClimatologyKind::time_mean) return 1;
  const auto [day, hour] = slot;
  if (hour_of_day(time) != hour) return 0;
  const Calendar calendar = source_.catalog().calendar;
  const double repeated =
      last_day_of_common_year(time, calendar) ? window_weight(day, longest_year(calendar), calendar) : 0;
  return window_weight(day, day_of_year(time, calendar), calendar) + repeated;
}

// A target variable on some of its places, while its means are computed.
struct Climatology::Part {
  int64_t variable;
  LoaderOptions options;           // with these places as tokens
  std::vector<at::Tensor> values;  // by slot, views: t P
  std::vector<at::Tensor> weight;  // by slot, so far: one number, or t P after the first NaN
};

std::vector<Climatology::Part> Climatology::parts_of(const std::vector<std::string>& variables,
                                                     const Span& rows) {
  const TokenGrid& grid = options_.grid;
  // The number of places that begin before a row; in a volume before the layer of patches that it is in.
  const auto places_before = [&](int64_t row) {
    if (grid.kind != GridKind::volume)
      return (row + grid.patch.rows - 1) / grid.patch.rows * grid.patch_columns();
    const int64_t rows_of_patches = grid.patch.layers * grid.rows;
    return (row + rows_of_patches - 1) / rows_of_patches * grid.patch_rows() * grid.patch_columns();
  };
  std::vector<Part> parts;
  for (const std::string& name : variables) {
    const auto v =
        std::find(options_.variables.begin(), options_.variables.end(), name) - options_.variables.begin();
    const Span held = places_of(grid, options_.tokens, v);
    const Span places = intersect(held, {places_before(rows.begin), places_before(rows.end)});
    if (places.empty()) continue;
    const int64_t first = grid.mode == TokenMode::full ? v * grid.places() : 0;
    Part part{v, options_, {}, {}};
    part.options.tokens = {first + places.begin, first + places.end};
    for (auto& [slot, values_TKP] : slots_) {
      part.values.push_back(of_variable(values_TKP, grid, options_.tokens, v)
                                .narrow(0, places.begin - held.begin, places.size()));
      part.weight.push_back(at::zeros({}, at::kDouble));
    }
    parts.push_back(std::move(part));
  }
  return parts;
}

void Climatology::add_time(int64_t time_index, std::vector<Part>& parts) {
  const int64_t time = source_.catalog().times[static_cast<size_t>(time_index)];
  std::vector<std::pair<size_t, double>> counted;  // slots that this time belongs to, with its weights
  size_t slot = 0;
  for (const auto& [day_and_hour, values] : slots_) {
    if (const double weight = weight_in(day_and_hour, time); weight > 0) counted.emplace_back(slot, weight);
    ++slot;
  }
  for (size_t i = 0; i < parts.size() && !counted.empty(); ++i) {
    Part& part = parts[i];
    const at::Tensor x_tP = read_patches(source_, part.options, part.variable, time_index).to(at::kDouble);
    at::Tensor seen_tP = x_tP.isnan().logical_not_();
    if (seen_tP.all().item<bool>()) seen_tP.reset();
    for (const auto& [s, weight] : counted) add(part.values[s], part.weight[s], x_tP, seen_tP, weight);
  }
}

// Computes this slot and the next ones in the order of asking, as many as fit.
void Climatology::make_from(const DayHour& slot) {
  const auto ahead = asked_.begin() + static_cast<int64_t>(next_);
  auto place = std::find(ahead, asked_.end(), slot);
  if (place == asked_.end()) place = std::find(asked_.begin(), ahead, slot);
  GRATICULE_CHECK(place != asked_.end() && *place == slot, "day ", slot.first, " at ", slot.second,
                  " h was not asked for");
  slots_.clear();
  for (; place != asked_.end() && slots_.size() < most_slots_; ++place) {
    slots_[*place] = at::zeros(
        {options_.tokens.size(), options_.grid.variables_per_token(), options_.grid.pixels()}, at::kDouble);
  }
  next_ = static_cast<size_t>(place - asked_.begin());
  for (const std::vector<std::string>& array : by_array(source_, targets_)) {
    for (const Span& rows : row_blocks(source_, array[0], {0, options_.grid.lines()})) {
      std::vector<Part> parts = parts_of(array, rows);
      for (const int64_t i : times_) add_time(i, parts);
      for (Part& part : parts) {
        for (size_t s = 0; s < part.values.size(); ++s) {
          if (part.weight[s].dim() > 0)
            part.values[s].masked_fill_(part.weight[s] == 0, std::numeric_limits<double>::quiet_NaN());
        }
      }
    }
  }
}

at::Tensor Climatology::at(int64_t valid_time) {
  const DayHour slot = slot_of(valid_time);
  if (!slots_.contains(slot)) make_from(slot);
  return slots_.at(slot);
}

}  // namespace graticule

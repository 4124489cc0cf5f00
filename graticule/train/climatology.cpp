#include "graticule/train/climatology.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <span>

#include "graticule/core/error.h"
#include "graticule/data/time.h"

namespace graticule {

namespace {

constexpr int days_of_year = 366;
constexpr int half_window = 30;
constexpr int64_t day_seconds = 86400;

double window_weight(int day, int other) {
  const int apart = std::abs(day - other);
  const int around = std::min(apart, days_of_year - apart);
  return std::max(0.0, 1.0 - around / static_cast<double>(half_window));
}

bool last_day_of_common_year(int64_t time) {
  return day_of_year(time) == 365 && day_of_year(time + day_seconds) == 1;
}

// The running weighted mean m += (w / W) (x - m). W is one number until a value is missing. Of one variable,
// t P, fp64.
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
  options_.missing = Missing::mean;  // left out below
  const auto& all = source.catalog().times;
  const auto first = std::lower_bound(all.begin(), all.end(), training.begin);
  times_ = {first - all.begin(), std::upper_bound(first, all.end(), training.end) - all.begin()};
  if (times_.empty()) {
    refuse("climatology", "the data has no time from ", format_time(training.begin), " to ",
           format_time(training.end), ": choose a training range that it covers");
  }
  const Span held = options.grid.variables_of(options.tokens);
  for (int64_t v = held.begin; v < held.end; ++v) {
    const auto& targets = options.targets;
    const auto found = std::find(targets.begin(), targets.end(), options.variables[static_cast<size_t>(v)]);
    if (found != targets.end() && !options.grid.tokens_of(options.tokens, v).empty()) targets_.push_back(v);
  }
  const int64_t slot_bytes = options.tokens.size() * options.grid.variables_per_token() *
                             options.grid.pixels() * static_cast<int64_t>(sizeof(double));
  most_slots_ = static_cast<size_t>(std::max<int64_t>(1, bytes / std::max<int64_t>(1, slot_bytes)));
  choose_kind(valid_times);
  for (int64_t i = asked.begin; i < asked.end; ++i)
    asked_.push_back(slot_of(valid_times[static_cast<size_t>(i)]));
}

void Climatology::choose_kind(const std::vector<int64_t>& valid_times) {
  const auto& all = source_.catalog().times;
  const std::span times =
      std::span(all).subspan(static_cast<size_t>(times_.begin), static_cast<size_t>(times_.size()));
  const std::string range = text(times.size(), " training times from ", format_time(times.front()), " to ",
                                 format_time(times.back()));
  std::string reason;
  if (kind_ == ClimatologyKind::by_day_and_hour) {
    if (times.back() - times.front() < 364 * day_seconds) reason = "they span less than a year";
    std::set<DayHour> slots;
    for (const int64_t time : valid_times) slots.insert(slot_of(time));
    for (const DayHour& slot : slots) {
      const auto counts = [&](int64_t time) { return weight_in(slot, time) > 0; };
      if (!reason.empty() || std::any_of(times.begin(), times.end(), counts)) continue;
      reason = text("none lies within 30 days of day ", slot.first, " at ", slot.second, " h");
    }
  }
  if (!reason.empty()) kind_ = ClimatologyKind::time_mean;
  const bool by_day = kind_ == ClimatologyKind::by_day_and_hour;
  description_ = by_day
                     ? text("climatology by day of year (61-day triangular window) and hour, of ", range)
                     : text("climatology is the time mean of ", range, reason.empty() ? "" : ": " + reason);
}

Climatology::DayHour Climatology::slot_of(int64_t time) const {
  return kind_ == ClimatologyKind::time_mean ? DayHour{0, 0} : DayHour{day_of_year(time), hour_of_day(time)};
}

double Climatology::weight_in(const DayHour& slot, int64_t time) const {
  if (kind_ == ClimatologyKind::time_mean) return 1;
  const auto [day, hour] = slot;
  if (hour_of_day(time) != hour) return 0;
  const double repeated = last_day_of_common_year(time) ? window_weight(day, days_of_year) : 0;
  return window_weight(day, day_of_year(time)) + repeated;
}

void Climatology::add_time(int64_t time_index) {
  const int64_t time = source_.catalog().times[static_cast<size_t>(time_index)];
  std::vector<std::pair<Mean*, double>> counted;
  for (auto& [slot, mean] : slots_) {
    if (const double weight = weight_in(slot, time); weight > 0) counted.emplace_back(&mean, weight);
  }
  for (size_t i = 0; i < targets_.size() && !counted.empty(); ++i) {
    const at::Tensor x_tP = read_patches(source_, options_, targets_[i], time_index).to(at::kDouble);
    at::Tensor seen_tP = x_tP.isnan().logical_not_();
    if (seen_tP.all().item<bool>()) seen_tP.reset();
    for (const auto& [mean, weight] : counted) {
      add(of_variable(mean->values_TKP, options_.grid, options_.tokens, targets_[i]), mean->weight[i], x_tP,
          seen_tP, weight);
    }
  }
}

// This slot and those that are asked for after it, as many as fit.
void Climatology::make_from(const DayHour& slot) {
  const auto ahead = asked_.begin() + static_cast<int64_t>(next_);
  auto place = std::find(ahead, asked_.end(), slot);
  if (place == asked_.end()) place = std::find(asked_.begin(), ahead, slot);
  GRATICULE_CHECK(place != asked_.end() && *place == slot, "day ", slot.first, " at ", slot.second,
                  " h was not asked for");
  slots_.clear();
  for (; place != asked_.end() && slots_.size() < most_slots_; ++place) slots_[*place];
  next_ = static_cast<size_t>(place - asked_.begin());
  for (auto& [made, mean] : slots_) {
    mean.values_TKP = at::zeros(
        {options_.tokens.size(), options_.grid.variables_per_token(), options_.grid.pixels()}, at::kDouble);
    for (size_t i = 0; i < targets_.size(); ++i) mean.weight.push_back(at::zeros({}, at::kDouble));
  }
  for (int64_t i = times_.begin; i < times_.end; ++i) add_time(i);
  for (auto& [made, mean] : slots_) {
    for (size_t i = 0; i < targets_.size(); ++i) {
      if (mean.weight[i].dim() == 0) continue;
      of_variable(mean.values_TKP, options_.grid, options_.tokens, targets_[i])
          .masked_fill_(mean.weight[i] == 0, std::numeric_limits<double>::quiet_NaN());
    }
    mean.weight.clear();
  }
}

at::Tensor Climatology::at(int64_t valid_time) {
  const DayHour slot = slot_of(valid_time);
  if (!slots_.contains(slot)) make_from(slot);
  return slots_.at(slot).values_TKP;
}

}  // namespace graticule

#include "graticule/train/climatology.h"

#include <algorithm>
#include <cmath>

#include "graticule/core/error.h"
#include "graticule/data/patches.h"
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

/// Reads this rank's tokens of one time (T K P, physical units, NaN kept); zeros for what is no target.
at::Tensor read_targets(Source& source, const LoaderOptions& options, int64_t time_index) {
  const TokenGrid& grid = options.grid;
  const int64_t columns = static_cast<int64_t>(source.catalog().longitudes.size());
  const at::Tensor x_TKP = at::zeros({options.tokens.size(), grid.variables_per_token(), grid.pixels()});
  const Span variables = grid.variables_of(options.tokens);
  for (int64_t v = variables.begin; v < variables.end; ++v) {
    const std::string& name = options.variables[static_cast<size_t>(v)];
    if (std::find(options.targets.begin(), options.targets.end(), name) == options.targets.end()) continue;
    const Span tokens = grid.tokens_of(options.tokens, v);
    if (tokens.empty()) continue;
    const bool full = grid.mode == TokenMode::full;
    const int64_t before = full ? v * grid.places() : 0;
    const Span places = {tokens.begin - before, tokens.end - before};
    const Span rows = rows_of_places(grid, places);
    const at::Tensor field_YX = at::empty({rows.size(), columns});
    source.read(name, time_index, rows, {field_YX.data_ptr<float>(), static_cast<size_t>(field_YX.numel())});
    const at::Tensor patches_TP = to_patches(field_YX, rows, grid, places);
    x_TKP.narrow(0, tokens.begin - options.tokens.begin, tokens.size())
        .select(1, full ? 0 : v)
        .copy_(patches_TP);
  }
  return x_TKP;
}

}  // namespace

Climatology::Climatology(Source& source, const LoaderOptions& options, const TimeRange& training,
                         const std::vector<int64_t>& valid_times, ClimatologyKind kind)
    : kind_(kind) {
  const auto& all = source.catalog().times;
  const auto first = std::lower_bound(all.begin(), all.end(), training.begin);
  const std::vector<int64_t> times(first, std::upper_bound(first, all.end(), training.end));
  if (times.empty()) {
    refuse("climatology", "the data has no time from ", format_time(training.begin), " to ",
           format_time(training.end), ": choose a training range that it covers");
  }
  choose_kind(times, valid_times);

  const int64_t before = first - all.begin();
  for (size_t i = 0; i < times.size(); ++i) {
    at::Tensor x_TKP, seen_TKP;
    for (auto& [slot, mean] : slots_) {
      const double weight = weight_in(slot, times[i]);
      if (weight == 0) continue;
      if (!x_TKP.defined()) {
        x_TKP = read_targets(source, options, before + static_cast<int64_t>(i));
        if (const at::Tensor seen = x_TKP.isnan().logical_not_(); !seen.all().item<bool>()) seen_TKP = seen;
      }
      add(mean, x_TKP, seen_TKP, weight);
    }
  }
  for (auto& [slot, mean] : slots_) {
    if (mean.weight.dim() > 0)
      mean.values_TKP.masked_fill_(mean.weight == 0, std::numeric_limits<float>::quiet_NaN());
  }
}

void Climatology::choose_kind(const std::vector<int64_t>& times, const std::vector<int64_t>& valid_times) {
  const auto make_slots = [&] {
    slots_.clear();
    for (const int64_t time : valid_times) slots_[slot_of(time)];
  };
  const std::string range = text(times.size(), " training times from ", format_time(times.front()), " to ",
                                 format_time(times.back()));
  std::string reason;
  make_slots();
  if (kind_ == ClimatologyKind::by_day_and_hour) {
    if (times.back() - times.front() < 364 * day_seconds) reason = "they span less than a year";
    for (const auto& [slot, mean] : slots_) {
      const auto counts = [&slot = slot, this](int64_t time) { return weight_in(slot, time) > 0; };
      if (!reason.empty() || std::any_of(times.begin(), times.end(), counts)) continue;
      reason = text("none lies within 30 days of day ", slot.first, " at ", slot.second, " h");
    }
  }
  if (!reason.empty()) {
    kind_ = ClimatologyKind::time_mean;
    make_slots();
  }
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

/// The running weighted mean m += (w / W) (x - m), exact to fp32 rounding for any number of times.
void Climatology::add(Mean& mean, const at::Tensor& x_TKP, const at::Tensor& seen_TKP, double weight) {
  if (!mean.values_TKP.defined()) {
    mean.values_TKP = at::zeros_like(x_TKP);
    mean.weight = at::zeros({}, at::kDouble);
  }
  if (!seen_TKP.defined() && mean.weight.dim() == 0) {
    mean.weight += weight;
    mean.values_TKP.lerp_(x_TKP, weight / mean.weight.item<double>());
    return;
  }
  const at::Tensor w_TKP = seen_TKP.defined() ? seen_TKP * weight : at::full_like(x_TKP, weight);
  mean.weight = mean.weight + w_TKP;
  mean.values_TKP += at::where(w_TKP > 0, w_TKP / mean.weight * (x_TKP - mean.values_TKP), 0.0);
}

at::Tensor Climatology::at(int64_t valid_time) const {
  const auto found = slots_.find(slot_of(valid_time));
  GRATICULE_CHECK(found != slots_.end(), format_time(valid_time), " was not among the valid times");
  return found->second.values_TKP;
}

}  // namespace graticule

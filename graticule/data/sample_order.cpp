#include "graticule/data/sample_order.h"

#include <algorithm>

#include "graticule/core/error.h"
#include "graticule/data/random.h"
#include "graticule/data/time.h"

namespace graticule {

namespace {

// Random streams of the seed: the order of an epoch, the lead and the crop of a sample draw from different ones.
constexpr uint64_t epoch_stream = uint64_t{1} << 62, lead_stream = uint64_t{1} << 63,
                   crop_stream = uint64_t{3} << 62;

// The index of `time`, or -1.
int64_t find(const std::vector<int64_t>& times, int64_t time) {
  const auto found = std::lower_bound(times.begin(), times.end(), time);
  return found != times.end() && *found == time ? found - times.begin() : -1;
}

std::string list(const std::vector<int>& values) {
  std::string joined;
  for (const int value : values) joined += text(joined.empty() ? "" : ", ", value);
  return joined;
}

// What a sample needs besides the state one lead later, in words.
std::string and_around(int64_t states, int64_t steps) {
  std::string words;
  if (steps > 1) words += text(", at all ", steps, " steps of train.rollout");
  if (states > 1) words += text(", and every earlier state (data.history = ", states, ")");
  return words;
}

}  // namespace

SampleOrder::SampleOrder(const Catalog& catalog, const LoaderOptions& options)
    : times_(catalog.times),
      tiles_(options.tiles ? tiles_of(catalog, options.grid)
                           : std::vector{middle_tile(catalog, options.grid)}),
      room_(largest_begin(catalog, options.grid)),
      lead_hours_(options.lead_hours),
      states_(options.grid.states),
      steps_(options.steps),
      seed_(options.seed),
      shuffle_(options.shuffle) {
  if (lead_hours_.empty()) refuse("data", "no lead time: give lead_hours, for example [6, 24]");
  for (size_t t = 0; t < times_.size(); ++t) {
    const auto usable = [&](int lead) {
      for (int64_t k = 1 - states_; k <= steps_; ++k) {
        const int64_t time = times_[t] + k * lead * 3600;
        if (!options.range.holds(time) || find(times_, time) < 0) return false;
      }
      return true;
    };
    if (std::all_of(lead_hours_.begin(), lead_hours_.end(), usable)) {
      initial_.push_back(static_cast<int64_t>(t));
    }
  }
  if (initial_.empty()) {
    const std::string held = times_.empty() ? "no time"
                                            : format_time(times_.front(), catalog.calendar) + " to " +
                                                  format_time(times_.back(), catalog.calendar);
    refuse("data", "no sample from ", format_time(options.range.begin, catalog.calendar), " to ",
           format_time(options.range.end, catalog.calendar), ": no time there has data ", list(lead_hours_),
           catalog.calendar == Calendar::none ? " steps" : " hours", " later too",
           and_around(states_, steps_), ". ", catalog.path, " has ", times_.size(), " times, ", held,
           ". Choose a longer range within them, or leads that are multiples of their step");
  }
}

SampleOrder::Sample SampleOrder::at(int64_t id) {
  const int64_t epoch = id / size();
  if (epoch != epoch_) {
    order_ = initial_;
    Random random(seed_, epoch_stream + static_cast<uint64_t>(epoch));
    for (int64_t i = std::ssize(initial_) - 1; shuffle_ && i > 0; --i) {
      std::swap(order_[static_cast<size_t>(i)], order_[static_cast<size_t>(random.below(i + 1))]);
    }
    epoch_ = epoch;
  }
  const int64_t tiles = std::ssize(tiles_);
  const int64_t time_index = order_[static_cast<size_t>(id % size() / tiles)];
  Random random(seed_, lead_stream + static_cast<uint64_t>(id));
  const int lead = lead_hours_[static_cast<size_t>(random.below(static_cast<int64_t>(lead_hours_.size())))];
  Sample sample{{}, {}, lead, tiles_[static_cast<size_t>(id % tiles)]};
  if (shuffle_) {
    Random place(seed_, crop_stream + static_cast<uint64_t>(id));
    sample.tile.begin = {place.below(room_.layer + 1), place.below(room_.row + 1),
                         place.below(room_.column + 1)};
  }
  const auto at = [&](int64_t k) {
    return find(times_, times_[static_cast<size_t>(time_index)] + k * lead * 3600);
  };
  for (int64_t k = 0; k < states_; ++k) sample.states.push_back(at(-k));
  for (int64_t k = 1; k <= steps_; ++k) sample.later.push_back(at(k));
  return sample;
}

}  // namespace graticule

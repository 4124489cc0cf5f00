#include "graticule/data/sample_split.h"

#include <fnmatch.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <optional>
#include <set>

#include "graticule/core/error.h"
#include "graticule/data/random.h"

namespace graticule {

namespace {

int64_t samples_of(const Catalog& catalog) {
  return catalog.times.empty() ? 0 : sample_of_time(catalog.times.back()) + 1;
}

TimeRange range_of(std::vector<int64_t> samples) {
  std::sort(samples.begin(), samples.end());
  const int64_t begin = time_of_sample(samples.front()), end = time_of_sample(samples.back() + 1) - 1;
  return {begin, end, std::move(samples)};
}

std::optional<int64_t> number_in(std::string_view text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

// "7" or "3-9"; nothing for any other text.
std::optional<Span> numbers_in(std::string_view entry) {
  const size_t dash = entry.find('-');
  const auto first = number_in(entry.substr(0, dash));
  const auto last = dash == entry.npos ? first : number_in(entry.substr(dash + 1));
  return first && last ? std::optional(Span{*first, *last + 1}) : std::nullopt;
}

}  // namespace

TimeRange samples_named(const std::vector<std::string>& list, const Catalog& catalog,
                        const std::string& key) {
  const int64_t count = samples_of(catalog);
  std::set<int64_t> chosen;
  for (const std::string& entry : list) {
    const size_t before = chosen.size();
    bool found = false;
    if (const auto numbers = numbers_in(entry)) {
      found = numbers->begin >= 0 && numbers->begin < numbers->end && numbers->end <= count;
      for (int64_t i = numbers->begin; found && i < numbers->end; ++i) chosen.insert(i);
    }
    for (size_t i = 0; !found && i < catalog.samples.size(); ++i) {
      if (fnmatch(entry.c_str(), catalog.samples[i].c_str(), 0) == 0) chosen.insert(static_cast<int64_t>(i));
    }
    if (found || chosen.size() > before) continue;
    refuse("data", key, ": '", entry, "' names no sample that is not named before it: ", catalog.path,
           " has ", count, " samples, 0 to ", count - 1,
           catalog.samples.empty() ? "; give numbers, such as \"0-7\""
                                   : text(", such as ", catalog.samples.front()));
  }
  if (chosen.empty()) refuse("data", key, " names no sample: give numbers, such as \"0-7\", or names");
  return range_of({chosen.begin(), chosen.end()});
}

TimeRange split_by_fraction(const SplitFractions& split, SplitPart part, const Catalog& catalog) {
  const int64_t count = samples_of(catalog);
  const auto share = [&](double fraction) {
    const auto samples = static_cast<int64_t>(std::llround(fraction * static_cast<double>(count)));
    return fraction > 0 ? std::max<int64_t>(1, samples) : 0;
  };
  const int64_t test = share(split.test), valid = share(split.valid);
  if (test + valid >= count)
    refuse("data", "data.split takes ", valid, " samples for validation and ", test, " for the test of ",
           count, ": nothing is left for training; choose smaller fractions");
  std::vector<int64_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), int64_t{0});
  Random random(static_cast<uint64_t>(split.seed), uint64_t{1} << 61);
  for (int64_t i = count - 1; i > 0; --i)
    std::swap(order[static_cast<size_t>(i)], order[static_cast<size_t>(random.below(i + 1))]);
  const Span chosen = part == SplitPart::test    ? Span{0, test}
                      : part == SplitPart::valid ? Span{test, test + valid}
                                                 : Span{test + valid, count};
  if (chosen.empty())
    refuse("data", "data.split gives no samples to this part: set data.split.",
           part == SplitPart::test ? "test" : "valid", ", or name them in data.",
           part == SplitPart::test ? "test" : "valid");
  return range_of({order.begin() + chosen.begin, order.begin() + chosen.end});
}

}  // namespace graticule

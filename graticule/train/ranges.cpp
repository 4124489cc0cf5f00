#include "graticule/train/ranges.h"

#include <algorithm>

#include "graticule/core/error.h"

namespace graticule {

namespace {

const char* word_of(SplitPart part) {
  return part == SplitPart::train ? "train" : part == SplitPart::valid ? "valid" : "test";
}

const std::vector<std::string>& list_of(const DataOptions& data, SplitPart part) {
  return part == SplitPart::train ? data.train : part == SplitPart::valid ? data.valid : data.test;
}

double fraction_of(const DataOptions& data, SplitPart part) {
  const double held = data.split.valid + data.split.test;
  return part == SplitPart::train   ? (held > 0 ? 1 - held : 0)
         : part == SplitPart::valid ? data.split.valid
                                    : data.split.test;
}

bool numbered(const Catalog& catalog) { return catalog.calendar == Calendar::none; }

}  // namespace

bool has_part(const DataOptions& data, SplitPart part, const Catalog& catalog) {
  return !list_of(data, part).empty() || (numbered(catalog) && fraction_of(data, part) > 0);
}

TimeRange times_named(const std::vector<std::string>& list, const Catalog& catalog, const std::string& key) {
  if (numbered(catalog)) return samples_named(list, catalog, key);
  if (list.size() != 2) refuse("data", key, ": give two times, [first, last]");
  return parse_time_range(list[0], list[1], catalog.calendar);
}

TimeRange part_of_data(const DataOptions& data, SplitPart part, const Catalog& catalog) {
  const std::string key = text("data.", word_of(part));
  const std::vector<std::string>& list = list_of(data, part);
  if (!list.empty()) return times_named(list, catalog, key);
  if (!has_part(data, part, catalog))
    refuse("data", key, " is missing: ",
           numbered(catalog)
               ? "name its samples, or set data.split.valid and data.split.test"
               : text("give the ", part == SplitPart::train ? "training " : "", "times, [first, last]"));
  return split_by_fraction({data.split.valid, data.split.test, data.split.seed}, part, catalog);
}

void refuse_overlap(const DataOptions& data, const Catalog& catalog) {
  if (data.allow_overlap || !has_part(data, SplitPart::train, catalog)) return;
  const TimeRange train = part_of_data(data, SplitPart::train, catalog);
  for (const SplitPart part : {SplitPart::valid, SplitPart::test}) {
    if (!has_part(data, part, catalog)) continue;
    const TimeRange other = part_of_data(data, part, catalog);
    const char* name = word_of(part);
    if (numbered(catalog)) {
      const auto& mine = train.samples;
      const auto both = std::find_if(other.samples.begin(), other.samples.end(), [&](int64_t sample) {
        return std::binary_search(mine.begin(), mine.end(), sample);
      });
      if (both == other.samples.end()) continue;
      refuse("data", "data.train and data.", name, " share sample ", *both,
             ": move it to one of them, or set data.allow_overlap = true");
    }
    if (train.begin > other.end || other.begin > train.end) continue;
    const auto& texts = list_of(data, part);
    refuse("data", "data.train (", data.train[0], " to ", data.train[1], ") and data.", name, " (", texts[0],
           " to ", texts[1], ") share times: move one of them, or set data.allow_overlap = true");
  }
}

}  // namespace graticule

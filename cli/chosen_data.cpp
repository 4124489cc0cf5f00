#include "cli/chosen_data.h"

#include <algorithm>

#include "graticule/core/error.h"
#include "graticule/train/build.h"
#include "graticule/train/ranges.h"

namespace graticule {

std::vector<std::string> chosen_variables(const std::vector<std::string>& named, const Catalog& catalog) {
  if (!named.empty()) return named;
  std::vector<std::string> all;
  for (const Variable& variable : catalog.variables) all.push_back(variable.name);
  return all;
}

TimeRange chosen_range(const std::vector<std::string>& named, const Catalog& catalog) {
  if (!named.empty()) return parse_time_range(named[0], named[1], catalog.calendar);
  return catalog.times.empty() ? TimeRange{} : TimeRange{catalog.times.front(), catalog.times.back()};
}

ChosenData open_chosen(const DataChoice& choice) {
  ChosenData chosen;
  std::vector<TimeRange> ranges;
  if (choice.path.ends_with(".toml")) {
    const Problem problem = define_problem(read_recipe(choice.path, choice.set));
    const auto& data = problem.options.data;
    const bool missing_allowed = data.missing == Missing::mean;
    chosen = {data.path, data.layout, data.images, problem.source, data.variables, {}, missing_allowed};
    for (const SplitPart part : {SplitPart::train, SplitPart::valid, SplitPart::test}) {
      if (has_part(data, part, problem.source->catalog()))
        ranges.push_back(part_of_data(data, part, problem.source->catalog()));
    }
  } else {
    if (!choice.set.empty()) refuse("data", "--set is for recipes; ", choice.path, " is none");
    ImageLayout as_found;
    as_found.as_found = true;
    chosen = {choice.path, {}, as_found, open_source(choice.path, {}, as_found), {}, {}, true};
    chosen.variables = chosen_variables({}, chosen.source->catalog());
    ranges = {chosen_range({}, chosen.source->catalog())};
  }
  const Catalog& catalog = chosen.source->catalog();
  if (!choice.variables.empty()) chosen.variables = choice.variables;
  for (const std::string& name : chosen.variables) (void)catalog.index_of(name);
  if (!choice.range.empty()) ranges = {chosen_range(choice.range, catalog)};
  for (size_t i = 0; i < catalog.times.size(); ++i) {
    const auto holds = [&](const TimeRange& r) { return r.holds(catalog.times[i]); };
    if (std::any_of(ranges.begin(), ranges.end(), holds)) chosen.times.push_back(static_cast<int64_t>(i));
  }
  if (chosen.times.empty() && !choice.range.empty())
    refuse("data", chosen.path, " has no time from ", choice.range[0], " to ", choice.range[1],
           ": choose another --range");
  return chosen;
}

}  // namespace graticule

#include "graticule/data/field_check.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <nlohmann/json.hpp>

#include "graticule/core/error.h"
#include "graticule/data/physical_range.h"
#include "graticule/data/reading_order.h"
#include "graticule/data/time.h"

namespace graticule {

void FieldFindings::merge(const FieldFindings& other) {
  fields += other.fields, damaged += other.damaged, missing += other.missing;
  infinite += other.infinite, outside += other.outside, uniform += other.uniform;
  least_missing = std::min(least_missing, other.least_missing);
  most_missing = std::max(most_missing, other.most_missing);
  low = std::min(low, other.low), high = std::max(high, other.high);
  if (first.empty()) first = other.first;
}

std::vector<CheckPart> check_parts(const Source& source, const std::vector<std::string>& variables,
                                   int64_t times) {
  constexpr int64_t enough = 32;  // times in a part, so that progress is seen and threads share the work
  std::vector<CheckPart> parts;
  for (const std::vector<std::string>& together : by_array(source, variables)) {
    const int64_t chunk = std::max<int64_t>(1, source.storage_of(together[0]).times);
    const int64_t size = (enough + chunk - 1) / chunk * chunk;
    const Catalog& catalog = source.catalog();
    const bool constant = catalog.variables[catalog.index_of(together[0])].constant;
    if (constant) parts.push_back({together, {0, 1}});
    for (int64_t begin = 0; begin < times && !constant; begin += size)
      parts.push_back({together, {begin, std::min(times, begin + size)}});
  }
  return parts;
}

namespace {

// Counts one field and returns whether something in it is suspicious.
bool count_field(const std::vector<float>& field, const std::optional<PhysicalRange>& range,
                 FieldFindings& found) {
  int64_t missing = 0, infinite = 0, outside = 0;
  float low = std::numeric_limits<float>::infinity(), high = -low;
  const float least = range ? static_cast<float>(range->low) : -std::numeric_limits<float>::infinity();
  const float most = range ? static_cast<float>(range->high) : std::numeric_limits<float>::infinity();
  for (const float value : field) {
    if (std::isnan(value)) {
      ++missing;
    } else if (std::isinf(value)) {
      ++infinite;
    } else {
      outside += value < least || value > most;
      low = std::min(low, value), high = std::max(high, value);
    }
  }
  const bool uniform = low == high && field.size() > 1 && !(range && range->may_be_uniform);
  FieldFindings one{1, 0, missing, missing, missing, infinite, outside, uniform, low, high, {}};
  found.merge(one);
  return infinite > 0 || outside > 0 || uniform || missing == std::ssize(field);
}

}  // namespace

void check_part(Source& source, const CheckPart& part, const std::vector<int64_t>& times,
                Findings& findings) {
  const Catalog& catalog = source.catalog();
  const int64_t rows = catalog.lines();
  std::vector<float> field(static_cast<size_t>(rows * catalog.columns()));
  for (int64_t i = part.times.begin; i < part.times.end; ++i) {
    for (const std::string& name : part.variables) {
      const Variable& variable = catalog.variables[catalog.index_of(name)];
      FieldFindings& found = findings[name];
      const int64_t time = variable.constant ? 0 : times[static_cast<size_t>(i)];
      std::string remark;
      try {
        source.read(name, time, {0, rows}, field);
        if (count_field(field, physical_range_of(variable), found) && !variable.constant)
          remark = "at " + format_time(catalog.times[static_cast<size_t>(time)], catalog.calendar);
      } catch (const std::logic_error& refused) {
        throw;  // a mistake of the user or of this program, no damage
      } catch (const std::exception& error) {
        remark = error.what();
        if (found.damaged++ == 0) found.first.clear();  // damage is told before anything else
      }
      if (found.first.empty()) found.first = remark;
    }
  }
}

std::string verdict_of(const FieldFindings& found, const Variable& variable, bool missing_allowed) {
  std::string verdict;
  const auto add = [&](const auto&... parts) { verdict += (verdict.empty() ? "" : ", ") + text(parts...); };
  if (found.damaged > 0) add(found.damaged, " fields DAMAGED");
  if (found.infinite > 0) add(found.infinite, " values infinite");
  if (found.outside > 0) {
    const auto range = physical_range_of(variable);
    add(found.outside, " values out of ", range->low, " to ", range->high,
        variable.units.empty() ? "" : " " + variable.units);
  }
  if (found.uniform > 0) add(found.uniform, " fields of one value");
  const bool uneven = found.fields > 0 && found.least_missing != found.most_missing;
  if (found.missing > 0 && !missing_allowed) add(found.missing, " values missing");
  if (found.missing > 0 && missing_allowed && uneven)
    add("missing values come and go: ", found.least_missing, " to ", found.most_missing, " in a field");
  if (found.fields > 0 && found.low > found.high && found.infinite == 0) add("no value at all");
  return verdict;
}

std::string to_json(const Findings& findings) {
  nlohmann::json all = nlohmann::json::object();
  for (const auto& [name, f] : findings) {
    const bool some = f.low <= f.high;  // JSON has no infinities
    all[name] = {f.fields,  f.damaged, f.missing, f.least_missing,  f.most_missing,    f.infinite,
                 f.outside, f.uniform, some,      some ? f.low : 0, some ? f.high : 0, f.first};
  }
  return all.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Findings findings_from_json(const std::string& json) {
  Findings findings;
  const nlohmann::json all = nlohmann::json::parse(json);
  for (const auto& [name, v] : all.items()) {
    FieldFindings found;
    found.fields = v[0], found.damaged = v[1], found.missing = v[2], found.least_missing = v[3];
    found.most_missing = v[4], found.infinite = v[5], found.outside = v[6], found.uniform = v[7];
    if (v[8].get<bool>()) found.low = v[9], found.high = v[10];
    found.first = v[11].get<std::string>();
    findings.emplace(name, found);
  }
  return findings;
}

}  // namespace graticule

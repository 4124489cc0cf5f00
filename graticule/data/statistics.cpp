#include "graticule/data/statistics.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "graticule/core/error.h"
#include "graticule/data/reading_order.h"

namespace graticule {

namespace {

using Field = std::vector<float>;

// Mean and sum of squared deviations of a stream of fields (Welford; fields are joined as in Chan, Golub and
// LeVeque 1983).
struct Moments {
  int64_t count = 0, missing = 0;
  double mean = 0, squares = 0;

  // Adds a field. Returns false when a value is infinite; the sums are then unchanged.
  bool add(const Field& field) {
    int64_t present = 0;
    double sum = 0, deviations = 0;
    for (const float x : field) {
      const bool there = x == x;
      sum += there ? x : 0;
      present += there;
    }
    if (!std::isfinite(sum)) return false;
    missing += static_cast<int64_t>(field.size()) - present;
    if (present == 0) return true;
    const double field_mean = sum / static_cast<double>(present);
    for (const float x : field) {
      const double deviation = x == x ? x - field_mean : 0;
      deviations += deviation * deviation;
    }
    const double shift = field_mean - mean,
                 share = static_cast<double>(present) / static_cast<double>(count + present);
    squares += deviations + shift * shift * share * static_cast<double>(count);
    mean += shift * share;
    count += present;
    return true;
  }
};

// Mean square of x(t + lead) - x(t).
struct Differences {
  int64_t count = 0;
  double squares = 0;

  void add(const Field& now, const Field& later) {
    for (size_t i = 0; i < now.size(); ++i) {
      const double difference = static_cast<double>(later[i]) - now[i];
      const bool there = difference == difference;
      squares += there ? difference * difference : 0;
      count += there;
    }
  }
};

// The sums of one variable, and its fields that a later time still needs.
struct Pass {
  std::string variable;
  bool constant = false;
  Moments moments;
  std::map<int, Differences> differences;
  std::map<int64_t, Field> fields;  // by time index
};

// The most values of fields to keep for later times; above this they are read again.
constexpr size_t kept_values = size_t{1} << 23;

size_t values_in(const std::vector<Pass>& passes) {
  size_t values = 0;
  for (const Pass& pass : passes) {
    for (const auto& [time, field] : pass.fields) values += field.size();
  }
  return values;
}

// The standard deviation; 1 for a field that never varies, so that it can divide.
double deviation(double squares, int64_t count) {
  const double value = count > 0 ? std::sqrt(squares / static_cast<double>(count)) : 0;
  return value > 0 ? value : 1;
}

const Field& field_of(Source& source, Pass& pass, int64_t time_index, Span rows) {
  Field& field = pass.fields[time_index];
  if (field.empty()) {
    field.resize(static_cast<size_t>(rows.size() * source.catalog().columns()));
    source.read(pass.variable, time_index, rows, field);
  }
  return field;
}

void add_field(Source& source, Pass& pass, int64_t t, Span rows) {
  const Field& field = field_of(source, pass, t, rows);
  if (pass.moments.add(field)) return;
  const auto infinite = std::count_if(field.begin(), field.end(), [](float x) { return std::isinf(x); });
  refuse_values(source.catalog(), pass.variable, t, infinite, field.size(), "infinite", way_out_of_infinite);
}

void add_time(Source& source, Pass& pass, int64_t t, Span rows, const std::vector<int>& lead_hours,
              const TimeRange& range) {
  const std::vector<int64_t>& times = source.catalog().times;
  pass.fields.erase(pass.fields.begin(), pass.fields.lower_bound(t));
  add_field(source, pass, t, rows);
  for (const int lead : lead_hours) {
    const int64_t later = times[static_cast<size_t>(t)] + int64_t{3600} * lead;
    const auto found = std::lower_bound(times.begin(), times.end(), later);
    if (found == times.end() || *found != later || !range.holds(later)) continue;
    const Field& now = pass.fields.at(t);
    pass.differences[lead].add(now, field_of(source, pass, found - times.begin(), rows));
  }
}

// Adds `rows` of one array's variables over all chosen times.
void add_block(Source& source, std::vector<Pass>& passes, const std::vector<int64_t>& chosen, Span rows,
               const std::vector<int>& lead_hours, const TimeRange& range) {
  for (const int64_t t : chosen) {
    for (Pass& pass : passes) {
      if (!pass.constant) add_time(source, pass, t, rows, lead_hours, range);
      if (pass.constant && t == chosen.front()) add_field(source, pass, t, rows);
      if (pass.constant || values_in(passes) > kept_values) pass.fields.clear();
    }
  }
  for (Pass& pass : passes) pass.fields.clear();
}

VariableStatistics finish(const Pass& pass, const std::vector<int>& lead_hours, const std::string& path) {
  const Moments& moments = pass.moments;
  if (moments.count == 0)
    refuse("data", pass.variable, " has no value in the range of ", path, ": leave the variable out");
  VariableStatistics result;
  result.mean = moments.mean;
  result.deviation = deviation(moments.squares, moments.count);
  result.count = moments.count;
  result.missing = moments.missing;
  for (const auto& [lead, sums] : pass.differences)
    result.difference_deviation[lead] = deviation(sums.squares, sums.count);
  for (const int lead : lead_hours) {
    if (pass.constant) result.difference_deviation[lead] = 1;
  }
  return result;
}

}  // namespace

const VariableStatistics& Statistics::of(const std::string& variable) const {
  const auto found = variables.find(variable);
  if (found != variables.end()) return found->second;
  std::vector<std::string> known;
  for (const auto& [name, values] : variables) known.push_back(name);
  refuse("data", "no statistics of ", variable, " (nearest: ", nearest_name(variable, known),
         "): they were made from ", source, " for other variables; make them anew");
}

Statistics compute_statistics(Source& source, const std::vector<std::string>& variables,
                              const std::vector<int>& lead_hours, const TimeRange& range, int64_t part,
                              int64_t parts, int64_t max_times) {
  const Catalog& catalog = source.catalog();
  std::vector<int64_t> inside;
  for (int64_t t = 0; t < std::ssize(catalog.times); ++t) {
    if (range.holds(catalog.times[static_cast<size_t>(t)])) inside.push_back(t);
  }
  const int64_t count = std::ssize(inside);
  if (inside.empty()) {
    refuse("data", catalog.path, " has no time from ", format_time(range.begin, catalog.calendar), " to ",
           format_time(range.end, catalog.calendar),
           catalog.times.empty()
               ? std::string(": it has no times at all")
               : text(": choose a range within ", format_time(catalog.times.front(), catalog.calendar),
                      " to ", format_time(catalog.times.back(), catalog.calendar)));
  }

  Statistics statistics{{}, catalog.path, range, max_times > 0 ? std::min(max_times, count) : count};
  std::vector<int64_t> chosen;
  for (int64_t i = 0; i < statistics.times; ++i)
    chosen.push_back(inside[static_cast<size_t>(i * count / statistics.times)]);
  const Span mine = span_of(std::ssize(variables), parts, part);
  const std::vector<std::string> own(variables.begin() + mine.begin, variables.begin() + mine.end);
  for (const std::vector<std::string>& array : by_array(source, own)) {
    std::vector<Pass> passes;
    passes.reserve(array.size());
    for (const std::string& name : array)
      passes.push_back({name, catalog.variables[catalog.index_of(name)].constant, {}, {}, {}});
    for (const Span& rows : row_blocks(source, array[0], {0, catalog.lines()}))
      add_block(source, passes, chosen, rows, lead_hours, range);
    for (const Pass& pass : passes) {
      statistics.variables[pass.variable] = finish(pass, lead_hours, catalog.path);
      statistics.variables[pass.variable].units = catalog.variables[catalog.index_of(pass.variable)].units;
    }
  }
  return statistics;
}

Statistics merge(const Statistics& a, const Statistics& b) {
  GRATICULE_CHECK(a.range == b.range && a.times == b.times, "parts of one pass");
  Statistics both = a;
  for (const auto& [name, values] : b.variables) {
    GRATICULE_CHECK(both.variables.emplace(name, values).second, name, " is in both parts");
  }
  return both;
}

std::string to_json(const Statistics& statistics) {
  nlohmann::ordered_json json = {{"form", "graticule statistics 1"},
                                 {"source", statistics.source},
                                 {"range", {statistics.range.begin, statistics.range.end}},
                                 {"times", statistics.times},
                                 {"variables", nlohmann::ordered_json::object()}};
  if (!statistics.range.samples.empty()) json["samples"] = statistics.range.samples;
  for (const auto& [name, values] : statistics.variables) {
    nlohmann::ordered_json leads = nlohmann::ordered_json::object();
    for (const auto& [lead, value] : values.difference_deviation) leads[std::to_string(lead)] = value;
    json["variables"][name] = {{"units", values.units},         {"mean", values.mean},
                               {"deviation", values.deviation}, {"difference_deviation", leads},
                               {"count", values.count},         {"missing", values.missing}};
  }
  return json.dump(2);
}

Statistics statistics_from_json(const std::string& text, const std::string& where) {
  try {
    const auto json = nlohmann::json::parse(text);
    if (json.at("form") != "graticule statistics 1")
      refuse("data", where, " holds statistics of another form: make them anew");
    Statistics statistics{
        {}, json.at("source"), {json.at("range").at(0), json.at("range").at(1)}, json.at("times")};
    statistics.range.samples = json.value("samples", std::vector<int64_t>());
    for (const auto& [name, values] : json.at("variables").items()) {
      VariableStatistics& variable = statistics.variables[name];
      variable.units = values.value("units", "");
      variable.mean = values.at("mean");
      variable.deviation = values.at("deviation");
      variable.count = values.at("count");
      variable.missing = values.at("missing");
      for (const auto& [lead, value] : values.at("difference_deviation").items()) {
        variable.difference_deviation[nlohmann::json::parse(lead).get<int>()] = value;
      }
    }
    return statistics;
  } catch (const nlohmann::json::exception&) {
    refuse("data", where, " is no statistics file of this form: remove it and they are made anew");
  }
}

}  // namespace graticule

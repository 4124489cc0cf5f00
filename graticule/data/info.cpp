#include "graticule/data/info.h"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "graticule/data/time.h"

namespace graticule {

namespace {

constexpr int64_t sampled_times = 4;

struct TimeAxis {
  int64_t step = 0;  ///< the smallest difference, s; 0 with fewer than two times
  int64_t gaps = 0;  ///< differences that are larger
};

TimeAxis time_axis(const std::vector<int64_t>& times) {
  TimeAxis axis;
  for (size_t i = 1; i < times.size(); ++i) {
    const int64_t step = times[i] - times[i - 1];
    if (axis.step == 0 || step < axis.step) axis.step = step;
  }
  for (size_t i = 1; i < times.size(); ++i) axis.gaps += times[i] - times[i - 1] > axis.step;
  return axis;
}

std::vector<int64_t> times_to_count(const Catalog& catalog, bool all) {
  const auto count = static_cast<int64_t>(catalog.times.size());
  const int64_t wanted = all ? count : std::min(count, sampled_times);
  std::vector<int64_t> indices;
  for (int64_t i = 0; i < wanted; ++i) indices.push_back(i * count / wanted);
  return indices;
}

std::map<std::string, int64_t> count_missing_values(Source& source, const std::vector<int64_t>& times) {
  const Catalog& catalog = source.catalog();
  const auto rows = static_cast<int64_t>(catalog.latitudes.size());
  std::vector<float> field(catalog.latitudes.size() * catalog.longitudes.size());
  std::map<std::string, int64_t> missing;
  for (const Variable& variable : catalog.variables) {
    int64_t& count = missing[variable.name];
    for (const int64_t time : variable.constant ? std::vector<int64_t>{0} : times) {
      source.read(variable.name, time, {0, rows}, field);
      count += std::count_if(field.begin(), field.end(), [](float value) { return std::isnan(value); });
    }
  }
  return missing;
}

void describe_grid(std::ostringstream& out, const Catalog& catalog) {
  const std::vector<double>& south_up = catalog.latitudes;
  const auto spacing = [](const std::vector<double>& values) {
    return values.size() > 1 ? values[1] - values[0] : 0;
  };
  out << "grid       " << south_up.size() << " x " << catalog.longitudes.size()
      << " (latitudes x longitudes), " << spacing(south_up) << " x " << spacing(catalog.longitudes)
      << " degrees, latitudes " << south_up.front() << " to " << south_up.back()
      << (south_up.back() > 89.99 ? " (poles included)" : " (no poles)") << ", longitudes "
      << catalog.longitudes.front() << " to " << catalog.longitudes.back() << ", stored "
      << (catalog.latitude_descending ? "north" : "south") << " first\n";
}

void describe_times(std::ostringstream& out, const Catalog& catalog) {
  out << "times      " << catalog.times.size();
  if (!catalog.times.empty()) {
    const TimeAxis axis = time_axis(catalog.times);
    out << ", " << format_time(catalog.times.front()) << " to " << format_time(catalog.times.back());
    if (axis.step > 0) out << ", every " << static_cast<double>(axis.step) / 3600 << " h";
    if (axis.step > 0)
      out << (axis.gaps ? ", with " + std::to_string(axis.gaps) + " gaps" : ", without gaps");
  }
  out << "\n";
}

// One line a variable, its levels joined.
void describe_variables(std::ostringstream& out, const Catalog& catalog,
                        const std::map<std::string, int64_t>& missing) {
  struct Line {
    Variable first;
    std::vector<double> levels;
    int64_t missing = 0;
  };
  std::map<std::string, Line> lines;
  for (const Variable& variable : catalog.variables) {
    const size_t at = variable.name.find('@');
    Line& line = lines[variable.name.substr(0, at)];
    if (line.first.name.empty()) line.first = variable;
    if (at != std::string::npos) line.levels.push_back(std::stod(variable.name.substr(at + 1)));
    line.missing += missing.at(variable.name);
  }
  for (auto& [name, line] : lines) {
    out << "  " << std::left << std::setw(35) << name << " " << std::setw(16) << line.first.units;
    if (line.first.constant) out << " constant";
    std::sort(line.levels.begin(), line.levels.end());
    for (size_t i = 0; i < line.levels.size(); ++i) out << (i ? ", " : " at ") << line.levels[i];
    if (!line.levels.empty()) out << " hPa";
    if (line.missing) out << "  (" << line.missing << " missing)";
    out << "\n";
  }
}

}  // namespace

std::string describe(Source& source, bool count_missing) {
  const Catalog& catalog = source.catalog();
  const std::vector<int64_t> times = times_to_count(catalog, count_missing);
  const std::map<std::string, int64_t> missing = count_missing_values(source, times);
  int64_t total = 0;
  for (const auto& [name, count] : missing) total += count;
  std::ostringstream out;
  out << "path       " << catalog.path << "\ncontainer  " << catalog.container << "\n";
  describe_grid(out, catalog);
  describe_times(out, catalog);
  out << "missing    " << total << " values in " << times.size() << " of " << catalog.times.size()
      << " times\n";
  for (const std::string& note : catalog.notes) out << "left out   " << note << "\n";
  out << "variables  " << catalog.variables.size() << "\n";
  describe_variables(out, catalog, missing);
  return out.str();
}

std::string describe_json(Source& source, bool count_missing) {
  const Catalog& catalog = source.catalog();
  const std::vector<int64_t> times = times_to_count(catalog, count_missing);
  const TimeAxis axis = time_axis(catalog.times);
  nlohmann::json variables = nlohmann::json::array();
  for (const Variable& variable : catalog.variables) {
    variables.push_back({{"name", variable.name},
                         {"units", variable.units},
                         {"long_name", variable.long_name},
                         {"standard_name", variable.standard_name},
                         {"constant", variable.constant}});
  }
  nlohmann::json time = {{"count", catalog.times.size()}, {"step_seconds", axis.step}, {"gaps", axis.gaps}};
  if (!catalog.times.empty()) {
    time["first"] = format_time(catalog.times.front());
    time["last"] = format_time(catalog.times.back());
  }
  return nlohmann::json{{"path", catalog.path},
                        {"container", catalog.container},
                        {"latitudes", catalog.latitudes},
                        {"longitudes", catalog.longitudes},
                        {"latitude_descending", catalog.latitude_descending},
                        {"times", time},
                        {"variables", variables},
                        {"missing", count_missing_values(source, times)},
                        {"missing_times", times.size()},
                        {"notes", catalog.notes}}
      .dump();
}

}  // namespace graticule

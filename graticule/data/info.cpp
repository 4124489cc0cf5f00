#include "graticule/data/info.h"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "graticule/core/error.h"
#include "graticule/data/chunk_cache.h"
#include "graticule/data/reading_order.h"
#include "graticule/data/time.h"

namespace graticule {

namespace {

constexpr int64_t sampled_times = 4;

struct TimeAxis {
  int64_t step = 0;        ///< the smallest difference, s; 0 with fewer than two times
  int64_t gaps = 0;        ///< differences that are larger
  int64_t before_gap = 0;  ///< the time before the first of them
};

TimeAxis time_axis(const std::vector<int64_t>& times) {
  TimeAxis axis;
  for (size_t i = 1; i < times.size(); ++i) {
    const int64_t step = times[i] - times[i - 1];
    if (axis.step == 0 || step < axis.step) axis.step = step;
  }
  for (size_t i = 1; i < times.size(); ++i) {
    if (times[i] - times[i - 1] <= axis.step) continue;
    if (axis.gaps++ == 0) axis.before_gap = times[i - 1];
  }
  return axis;
}

std::vector<int64_t> times_to_count(const Catalog& catalog, bool all) {
  const auto count = static_cast<int64_t>(catalog.times.size());
  const int64_t wanted = all ? count : std::min(count, sampled_times);
  std::vector<int64_t> indices;
  for (int64_t i = 0; i < wanted; ++i) indices.push_back(i * count / wanted);
  return indices.empty() ? std::vector<int64_t>{0} : indices;  // a data set of constants has no times
}

// Numbers of NaN and of infinite values, by variable.
struct Holes {
  std::map<std::string, int64_t> missing, infinite;
};

Holes count_holes(Source& source, const std::vector<int64_t>& times) {
  const Catalog& catalog = source.catalog();
  const int64_t columns = catalog.columns();
  std::vector<std::string> names;
  for (const Variable& variable : catalog.variables) names.push_back(variable.name);
  Holes holes;
  std::vector<float> field;
  const auto count = [&](const std::string& name, int64_t time, Span rows) {
    field.resize(static_cast<size_t>(rows.size() * columns));
    source.read(name, time, rows, field);
    holes.missing[name] += std::count_if(field.begin(), field.end(), [](float x) { return std::isnan(x); });
    holes.infinite[name] += std::count_if(field.begin(), field.end(), [](float x) { return std::isinf(x); });
  };
  for (const std::vector<std::string>& array : by_array(source, names)) {
    for (const Span& rows : row_blocks(source, array[0], {0, catalog.lines()})) {
      for (const int64_t time : times) {
        for (const std::string& name : array) {
          const bool constant = catalog.variables[catalog.index_of(name)].constant;
          if (!constant || time == times.front()) count(name, constant ? 0 : time, rows);
        }
      }
    }
  }
  return holes;
}

std::string in_bytes(double bytes) {
  const bool large = bytes >= 1e9;
  std::ostringstream out;
  out << std::setprecision(3) << bytes / (large ? 1e9 : 1e6) << (large ? " GB" : " MB");
  return out.str();
}

// A note for a file whose chunks are expensive to read, else "". A chunk is decoded as a whole. Training
// reads in random order, so for one time it decodes all times of the chunk.
std::string cost_of_chunks(const Source& source) {
  const Catalog& catalog = source.catalog();
  double decoded = 0, given = 0, all = 0;
  int64_t most_times = 1;
  std::string example;
  std::set<std::string> counted;
  for (const Variable& variable : catalog.variables) {
    const Storage storage = source.storage_of(variable.name);
    given += static_cast<double>(catalog.lines() * catalog.columns()) * sizeof(float);
    if (!storage.whole || !counted.insert(storage.array).second) continue;
    const auto bytes = static_cast<double>(storage.bytes_of_time);
    decoded += bytes;
    all += bytes * static_cast<double>(catalog.times.size()) / static_cast<double>(storage.times);
    if (storage.times > most_times) most_times = storage.times, example = variable.name;
  }
  constexpr double much = 4;
  if (decoded < much * given || all < static_cast<double>(ChunkCache::most)) return "";
  const bool fits = decoded * 2 < static_cast<double>(ChunkCache::most);
  return text("one time of all variables is ", in_bytes(given), ", but its chunks hold ", in_bytes(decoded),
              " (", example, ": ", most_times, " times a chunk) and are decoded whole. Statistics",
              fits ? " and evaluation decode" : " decode", " each chunk once",
              fits ? "" : ", evaluation every chunk for every time",
              "; training draws its times at random and decodes ", static_cast<int64_t>(decoded / given),
              " times what it uses. Rewrite the data with one time a chunk (xarray: chunk({\"time\": 1}), "
              "then to_zarr)");
}

void describe_image(std::ostringstream& out, const Catalog& catalog) {
  out << "grid       " << name_of(catalog.grid);
  for (const ImageAxis& axis : catalog.axes) {
    out << (&axis == &catalog.axes.front() ? ", " : " x ") << axis.values.size() << " " << axis.name;
    if (!axis.units.empty())
      out << " (" << axis.values.front() << " to " << axis.values.back() << " " << axis.units << ")";
    if (axis.periodic) out << ", periodic";
  }
  out << "\n";
}

void describe_cells(std::ostringstream& out, const Cells& cells) {
  const auto [south, north] = std::minmax_element(cells.latitudes.begin(), cells.latitudes.end());
  const auto [small, large] = std::minmax_element(cells.areas.begin(), cells.areas.end());
  const double mean = part_of_sphere(cells) / static_cast<double>(cells.areas.size());
  out << "grid       cells, " << cells.latitudes.size() << " (" << cells.name << "), latitudes " << *south
      << " to " << *north << ", areas " << *small / mean << " to " << *large / mean << " of their mean\n";
}

void describe_grid(std::ostringstream& out, const Catalog& catalog) {
  if (catalog.grid == GridKind::cells) return describe_cells(out, *catalog.cells);
  if (catalog.grid != GridKind::sphere) return describe_image(out, catalog);
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
  const bool dated = catalog.calendar != Calendar::none;
  out << (dated ? "times      " : "samples    ") << catalog.times.size();
  if (!dated && !catalog.times.empty()) {
    const int64_t samples = sample_of_time(catalog.times.back()) + 1;
    if (samples != std::ssize(catalog.times)) out << " steps of " << samples << " trajectories";
    if (!catalog.samples.empty()) out << ", " << catalog.samples.front() << " to " << catalog.samples.back();
  } else if (!catalog.times.empty()) {
    const TimeAxis axis = time_axis(catalog.times);
    out << ", " << format_time(catalog.times.front(), catalog.calendar) << " to "
        << format_time(catalog.times.back(), catalog.calendar);
    if (axis.step > 0) out << ", every " << static_cast<double>(axis.step) / 3600 << " h";
    if (axis.step > 0)
      out << (axis.gaps ? text(", with ", axis.gaps, " gaps, the first after ",
                               format_time(axis.before_gap, catalog.calendar))
                        : ", without gaps");
    if (catalog.calendar != Calendar::gregorian) out << ", calendar " << name_of(catalog.calendar);
  }
  out << "\n";
}

// Prints one line for each variable, with all its levels.
void describe_variables(std::ostringstream& out, const Catalog& catalog, const Holes& holes) {
  struct Line {
    Variable first;
    std::vector<double> levels;
    int64_t missing = 0, infinite = 0;
  };
  std::map<std::string, Line> lines;
  for (const Variable& variable : catalog.variables) {
    const size_t at = variable.name.find('@');
    Line& line = lines[variable.name.substr(0, at)];
    if (line.first.name.empty()) line.first = variable;
    if (at != std::string::npos) line.levels.push_back(std::stod(variable.name.substr(at + 1)));
    line.missing += holes.missing.at(variable.name);
    line.infinite += holes.infinite.at(variable.name);
  }
  for (auto& [name, line] : lines) {
    out << "  " << std::left << std::setw(35) << name << " " << std::setw(16) << line.first.units;
    if (line.first.constant) out << " constant";
    std::sort(line.levels.begin(), line.levels.end());
    for (size_t i = 0; i < line.levels.size(); ++i) out << (i ? ", " : " at ") << line.levels[i];
    if (!line.levels.empty()) out << " hPa";
    if (line.missing) out << "  (" << line.missing << " missing)";
    if (line.infinite) out << "  (" << line.infinite << " INFINITE: training refuses them)";
    out << "\n";
  }
}

}  // namespace

std::vector<std::string> notes_to_tell(const Catalog& catalog) {
  constexpr size_t most = 8;
  std::vector<std::string> told;
  for (const std::string& note : catalog.notes) {
    if (told.size() == most) {
      told.push_back(
          text("data: and ", catalog.notes.size() - most, " more: graticule data info ", catalog.path));
      break;
    }
    told.push_back("data: " + note);
  }
  return told;
}

std::string describe(Source& source, bool count_missing) {
  const Catalog& catalog = source.catalog();
  const std::vector<int64_t> times = times_to_count(catalog, count_missing);
  const Holes holes = count_holes(source, times);
  int64_t total = 0;
  for (const auto& [name, count] : holes.missing) total += count;
  std::ostringstream out;
  out << "path       " << catalog.path << "\ncontainer  " << catalog.container << "\n";
  describe_grid(out, catalog);
  describe_times(out, catalog);
  out << "missing    " << total << " values in " << std::min(times.size(), catalog.times.size()) << " of "
      << catalog.times.size() << " times\n";
  for (const std::string& note : catalog.notes) out << "note       " << note << "\n";
  if (const std::string cost = cost_of_chunks(source); !cost.empty()) out << "note       " << cost << "\n";
  out << "variables  " << catalog.variables.size() << "\n";
  describe_variables(out, catalog, holes);
  return out.str();
}

std::string describe_json(Source& source, bool count_missing) {
  const Catalog& catalog = source.catalog();
  const std::vector<int64_t> times = times_to_count(catalog, count_missing);
  const TimeAxis axis = time_axis(catalog.times);
  const Holes holes = count_holes(source, times);
  const std::string cost = cost_of_chunks(source);
  nlohmann::json variables = nlohmann::json::array();
  for (const Variable& variable : catalog.variables) {
    variables.push_back({{"name", variable.name},
                         {"units", variable.units},
                         {"long_name", variable.long_name},
                         {"standard_name", variable.standard_name},
                         {"constant", variable.constant}});
  }
  nlohmann::json time = {{"count", catalog.times.size()},
                         {"step_seconds", axis.step},
                         {"gaps", axis.gaps},
                         {"calendar", name_of(catalog.calendar)}};
  if (!catalog.times.empty()) {
    time["first"] = format_time(catalog.times.front(), catalog.calendar);
    time["last"] = format_time(catalog.times.back(), catalog.calendar);
  }
  nlohmann::json axes = nlohmann::json::array();
  for (const ImageAxis& one : catalog.axes)
    axes.push_back({{"name", one.name},
                    {"size", one.values.size()},
                    {"units", one.units},
                    {"first", one.values.front()},
                    {"last", one.values.back()},
                    {"periodic", one.periodic}});
  return nlohmann::json{{"path", catalog.path},
                        {"container", catalog.container},
                        {"grid", name_of(catalog.grid)},
                        {"axes", axes},
                        {"samples", catalog.samples},
                        {"cells", catalog.cells ? nlohmann::json(catalog.cells->name) : nlohmann::json()},
                        {"areas", catalog.cells ? nlohmann::json(catalog.cells->areas) : nlohmann::json()},
                        {"latitudes", catalog.places_north()},
                        {"longitudes", catalog.places_east()},
                        {"latitude_descending", catalog.latitude_descending},
                        {"times", time},
                        {"variables", variables},
                        {"missing", holes.missing},
                        {"infinite", holes.infinite},
                        {"missing_times", std::min(times.size(), catalog.times.size())},
                        {"cost", cost.empty() ? nlohmann::json() : nlohmann::json(cost)},
                        {"notes", catalog.notes}}
      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);  // notes need not be UTF-8
}

}  // namespace graticule

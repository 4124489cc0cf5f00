#include "graticule/data/synthetic.h"

#include <charconv>
#include <map>
#include <sstream>

#include "graticule/core/error.h"
#include "graticule/data/atmosphere.h"
#include "graticule/data/time.h"

namespace graticule {

namespace {

constexpr const char* where = "synthetic";

int64_t parse_number(const std::string& key, const std::string& value, int64_t least, int64_t most) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size() || number < least || number > most) {
    refuse(where, key, "=", value, ": choose a whole number from ", least, " to ", most);
  }
  return number;
}

void set(SyntheticOptions& options, const std::string& key, const std::string& value) {
  constexpr int64_t many = 1'000'000;
  const std::map<std::string, std::pair<int64_t*, int64_t>> numbers = {
      {"rows", {&options.rows, many}},
      {"columns", {&options.columns, many}},
      {"variables", {&options.variables, atmosphere_variable_limit}},
      {"times", {&options.times, 100 * many}},
      {"step_hours", {&options.step_hours, many}},
  };
  if (const auto found = numbers.find(key); found != numbers.end()) {
    *found->second.first = parse_number(key, value, 1, found->second.second);
  } else if (key == "start") {
    options.start = parse_time(value);
  } else if (key == "seed") {
    options.seed = static_cast<uint64_t>(parse_number(key, value, 0, INT64_MAX));
  } else {
    const std::vector<std::string> known = {"rows",       "columns", "variables", "times",
                                            "step_hours", "start",   "seed"};
    refuse(where, "unknown key '", key, "': did you mean ", nearest_name(key, known),
           "? Known: rows, columns, variables, times, step_hours, start, seed");
  }
}

class SyntheticSource : public Source {
 public:
  explicit SyntheticSource(const SyntheticOptions& options)
      : catalog_(describe(options)), atmosphere_(options.seed, catalog_.latitudes, catalog_.longitudes) {}

  const Catalog& catalog() const override { return catalog_; }

  void read(const std::string& variable, int64_t time_index, Span rows, std::span<float> out) override {
    const bool constant = catalog_.variables[catalog_.index_of(variable)].constant;
    GRATICULE_CHECK(constant || (time_index >= 0 && time_index < static_cast<int64_t>(catalog_.times.size())),
                    "time index ", time_index);
    GRATICULE_CHECK(rows.begin >= 0 && rows.end <= static_cast<int64_t>(catalog_.latitudes.size()), "rows ",
                    rows.begin, " to ", rows.end);
    atmosphere_.read(variable, constant ? 0 : catalog_.times[static_cast<size_t>(time_index)], rows, out);
  }

 private:
  static Catalog describe(const SyntheticOptions& options) {
    Catalog catalog;
    catalog.path =
        text("synthetic:rows=", options.rows, ",columns=", options.columns, ",variables=", options.variables,
             ",times=", options.times, ",step_hours=", options.step_hours,
             ",start=", format_time(options.start), ",seed=", options.seed);
    catalog.container = "synthetic";
    for (int64_t y = 0; y < options.rows; ++y) {
      catalog.latitudes.push_back(180 * (static_cast<double>(y) + 0.5) / static_cast<double>(options.rows) -
                                  90);
    }
    for (int64_t x = 0; x < options.columns; ++x) {
      catalog.longitudes.push_back(360 * static_cast<double>(x) / static_cast<double>(options.columns));
    }
    for (int64_t t = 0; t < options.times; ++t)
      catalog.times.push_back(options.start + 3600 * options.step_hours * t);
    catalog.variables = atmosphere_variables(options.variables);
    return catalog;
  }

  Catalog catalog_;
  Atmosphere atmosphere_;
};

}  // namespace

SyntheticOptions parse_synthetic(const std::string& specification) {
  const std::string name = "synthetic";
  SyntheticOptions options;
  if (specification == name) return options;
  if (!specification.starts_with(name + ":"))
    refuse(where, "'", specification, "' does not begin with 'synthetic:'");
  std::istringstream pairs(specification.substr(name.size() + 1));
  for (std::string pair; std::getline(pairs, pair, ',');) {
    const size_t equals = pair.find('=');
    if (equals == std::string::npos)
      refuse(where, "'", pair, "': write key=value, as in synthetic:rows=32,columns=64");
    set(options, pair.substr(0, equals), pair.substr(equals + 1));
  }
  return options;
}

std::unique_ptr<Source> open_synthetic(const SyntheticOptions& options) {
  return std::make_unique<SyntheticSource>(options);
}

std::unique_ptr<Source> open_synthetic(const std::string& specification) {
  return open_synthetic(parse_synthetic(specification));
}

}  // namespace graticule

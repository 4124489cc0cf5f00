#include "graticule/data/synthetic.h"

#include <algorithm>
#include <charconv>
#include <sstream>

#include "graticule/core/error.h"
#include "graticule/data/atmosphere.h"
#include "graticule/data/time.h"

namespace graticule {

namespace {

struct Limits {
  const char* key;
  int64_t SyntheticOptions::*value;
  int64_t most;
};
constexpr Limits limits[] = {{"rows", &SyntheticOptions::rows, 1'000'000},
                             {"columns", &SyntheticOptions::columns, 1'000'000},
                             {"variables", &SyntheticOptions::variables, atmosphere_variable_limit},
                             {"times", &SyntheticOptions::times, 100'000'000},
                             {"step_hours", &SyntheticOptions::step_hours, 1'000'000}};

template <class Integer>
Integer parse_number(const std::string& key, const std::string& value) {
  Integer number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size()) {
    refuse("synthetic", key, "=", value, ": choose a whole number");
  }
  return number;
}

void set(SyntheticOptions& options, const std::string& key, const std::string& value) {
  const auto found =
      std::find_if(std::begin(limits), std::end(limits), [&](const Limits& l) { return key == l.key; });
  if (found != std::end(limits)) {
    options.*found->value = parse_number<int64_t>(key, value);
  } else if (key == "start") {
    options.start = parse_time(value);
  } else if (key == "seed") {
    options.seed = parse_number<uint64_t>(key, value);
  } else {
    const std::vector<std::string> known = {"rows",       "columns", "variables", "times",
                                            "step_hours", "start",   "seed"};
    refuse("synthetic", "unknown key '", key, "': did you mean ", nearest_name(key, known),
           "? Known: rows, columns, variables, times, step_hours, start, seed");
  }
}

void require_in_range(const SyntheticOptions& options) {
  for (const auto& [key, value, most] : limits) {
    if (options.*value < 1 || options.*value > most) {
      refuse("synthetic", key, "=", options.*value, ": choose a whole number from 1 to ", most);
    }
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
    catalog.provenance = "synthetic: computed from waves when read";
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
    refuse("synthetic", "'", specification, "' does not begin with 'synthetic:'");
  std::istringstream pairs(specification.substr(name.size() + 1));
  for (std::string pair; std::getline(pairs, pair, ',');) {
    const size_t equals = pair.find('=');
    if (equals == std::string::npos)
      refuse("synthetic", "'", pair, "': write key=value, as in synthetic:rows=32,columns=64");
    set(options, pair.substr(0, equals), pair.substr(equals + 1));
  }
  require_in_range(options);
  return options;
}

std::unique_ptr<Source> open_synthetic(const SyntheticOptions& options) {
  require_in_range(options);
  return std::make_unique<SyntheticSource>(options);
}

std::unique_ptr<Source> open_synthetic(const std::string& specification) {
  return open_synthetic(parse_synthetic(specification));
}

}  // namespace graticule

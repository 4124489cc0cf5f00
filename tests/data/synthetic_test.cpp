// Tests the synthetic data: ranges, physics, names, and independence of grid and start.
#include "graticule/data/synthetic.h"

#include <gtest/gtest.h>

#include <cmath>

#include "graticule/data/atmosphere.h"
#include "graticule/data/loader.h"

namespace graticule {
namespace {

std::vector<float> whole(Source& source, const std::string& variable, int64_t t) {
  const Catalog& catalog = source.catalog();
  const auto rows = static_cast<int64_t>(catalog.latitudes.size());
  std::vector<float> field(catalog.latitudes.size() * catalog.longitudes.size());
  source.read(variable, t, {0, rows}, field);
  return field;
}

// Area-weighted error of persistence over `lag` steps, averaged over some times.
double persistence(Source& source, const std::string& variable, int64_t lag) {
  const auto weights = latitude_weights(source.catalog().latitudes);
  double sum = 0, count = 0;
  for (int64_t t = 0; t < 200; t += 20) {
    const auto now = whole(source, variable, t), later = whole(source, variable, t + lag);
    for (size_t i = 0; i < now.size(); ++i) {
      const double difference = later[i] - now[i];
      sum += weights[i / source.catalog().longitudes.size()] * difference * difference, count += 1;
    }
  }
  return std::sqrt(sum / count);
}

std::string message_of(const std::string& specification) {
  try {
    open_synthetic(specification);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

TEST(Synthetic, defaults_hold_the_usual_23_variables_in_sensible_ranges) {
  const auto source = open_synthetic("synthetic");
  const Catalog& catalog = source->catalog();
  EXPECT_EQ(catalog.variables.size(), 23u);
  EXPECT_EQ(catalog.times.size(), 1460u);
  EXPECT_EQ(catalog.times.front(), 978307200);
  EXPECT_EQ(catalog.container, "synthetic");
  const std::map<std::string, std::pair<float, float>> ranges = {
      {"temperature@850", {225.f, 320.f}},
      {"geopotential@500", {44000.f, 62000.f}},
      {"2m_temperature", {220.f, 330.f}},
      {"mean_sea_level_pressure", {9.2e4f, 1.08e5f}},
      {"specific_humidity@850", {1e-5f, 0.03f}},
      {"u_component_of_wind@250", {-60.f, 100.f}},
      {"10m_v_component_of_wind", {-25.f, 25.f}},
      {"surface_pressure", {5e4f, 1.08e5f}},
      {"land_sea_mask", {0.f, 1.f}},
      {"geopotential_at_surface", {0.f, 6e4f}},
      {"toa_incident_solar_radiation", {0.f, 5e6f}}};
  for (const auto& [name, range] : ranges) {
    for (const int64_t t : {0, 777}) {
      const auto field = whole(*source, name, t);
      const auto [least, most] = std::minmax_element(field.begin(), field.end());
      EXPECT_GE(*least, range.first) << name;
      EXPECT_LE(*most, range.second) << name;
      EXPECT_LT(*least, *most) << name;
    }
  }
}

TEST(Synthetic, persistence_errs_as_in_the_real_atmosphere) {
  const auto source = open_synthetic("synthetic:seed=1");
  const double geopotential = persistence(*source, "geopotential@500", 4),
               temperature = persistence(*source, "temperature@850", 4);
  EXPECT_GT(geopotential, 350);
  EXPECT_LT(geopotential, 550);
  EXPECT_GT(temperature, 1.8);
  EXPECT_LT(temperature, 3.2);
  EXPECT_LT(persistence(*source, "geopotential@500", 1), 0.5 * geopotential);
}

TEST(Synthetic, temperature_is_hydrostatic) {
  const std::vector<double> latitudes = {-61, -12, 33, 70}, longitudes = {0, 45, 200, 310};
  const Atmosphere atmosphere(5, latitudes, longitudes);
  for (const double pressure : {850.0, 500.0, 250.0, 50.0}) {
    const double step = 0.02;  // of ln p
    const auto at = [&](double p) { return atmosphere.geopotential({{0, 4}, 1'100'000'000, p}); };
    const auto below = at(pressure * std::exp(step)), above = at(pressure * std::exp(-step));
    const auto temperature = atmosphere.temperature({{0, 4}, 1'100'000'000, pressure});
    for (size_t i = 0; i < temperature.size(); ++i) {
      EXPECT_NEAR((above[i] - below[i]) / (2 * step * 287.05), temperature[i], 0.1) << pressure << " hPa";
    }
  }
}

TEST(Synthetic, any_grid_span_and_start_gives_the_same_values) {
  const auto source =
      open_synthetic("synthetic:rows=7,columns=5,variables=90,times=40,step_hours=3,start=2003-02-27,seed=9");
  const auto later =
      open_synthetic("synthetic:rows=7,columns=5,variables=90,times=1,start=2003-03-01T12,seed=9");
  const auto other =
      open_synthetic("synthetic:rows=7,columns=5,variables=90,times=1,start=2003-03-01T12,seed=10");
  for (const Variable& variable : source->catalog().variables) {
    const auto field = whole(*source, variable.name, 20);
    EXPECT_EQ(field, whole(*later, variable.name, 0)) << variable.name;
    std::vector<float> part(3 * 5);
    source->read(variable.name, 20, {2, 5}, part);
    EXPECT_TRUE(std::equal(part.begin(), part.end(), field.begin() + 2 * 5)) << variable.name;
    EXPECT_TRUE(std::all_of(field.begin(), field.end(), [](float x) { return std::isfinite(x); }))
        << variable.name;
  }
  EXPECT_NE(whole(*other, "geopotential@500", 0), whole(*later, "geopotential@500", 0));
}

TEST(Synthetic, every_number_of_variables_has_distinct_names) {
  for (const int64_t count : {1, 2, 10, 23, 73, 500, 5008}) {
    std::map<std::string, int> seen;
    for (const Variable& variable : atmosphere_variables(count)) ++seen[variable.name];
    EXPECT_EQ(static_cast<int64_t>(seen.size()), count);
  }
}

TEST(Synthetic, refuses_what_it_does_not_know) {
  EXPECT_NE(message_of("synthetic:colums=64").find("did you mean columns"), std::string::npos);
  EXPECT_NE(message_of("synthetic:rows=0").find("rows=0"), std::string::npos);
  EXPECT_NE(message_of("synthetic:rows=1e3").find("whole number"), std::string::npos);
  EXPECT_NE(message_of("synthetic:rows").find("key=value"), std::string::npos);
  EXPECT_NE(message_of("synthetic:start=yesterday"), "");
  EXPECT_NE(message_of("synthetic:variables=9999").find("5008"), std::string::npos);
}

}  // namespace
}  // namespace graticule

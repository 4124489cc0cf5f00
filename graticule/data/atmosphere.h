// A synthetic atmosphere: gives every variable at any time, computed from the stream function of
// rossby_waves.h. SyntheticSource (synthetic.cpp) reads it. Nothing here is observed. Heights are zeta =
// ln(500 hPa / p).
//
// - waves: of amplitude A(zeta) = exp((0.9^2 - (zeta - 0.9)^2) / 3). They lean westwards with height by tilt
//   (tanh(zeta + 0.5) - tanh(0.5)). All levels move at the speed of 500 hPa, where A = 1.
// - wind: a omega A(zeta) cos lat from the west, plus the waves
// - geopotential: a standard atmosphere, gradient-wind balance with the mean wind, linear balance with the
//   waves, and an annual cycle
// - temperature: hydrostatic and exact, T = (1 / R) d(geopotential) / d(zeta)
// - humidity: saturation at T times 0.5 + 0.4 tanh of the stream function 15 degrees to the east
// - surface, from 1000 hPa: pressure (barometric), wind (slowed and turned by friction), temperature at 2 m
//   (annual and diurnal cycle over land, cooler with height)
//
// Persistence over 24 hours errs by about 440 m2/s2 in geopotential@500 and 2.3 K in temperature@850. This is
// about its error in the real atmosphere.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graticule/data/rossby_waves.h"
#include "graticule/data/source.h"

namespace graticule {

/// The first `count` variables (1 to atmosphere_variable_limit). The first 23 are 8 at the surface and 5 at
/// 500, 850 and 250 hPa. Then follow the rest of WeatherBench's 13 levels, levels every 25 hPa, and levels
/// every 1 hPa.
std::vector<Variable> atmosphere_variables(int64_t count);
inline constexpr int64_t atmosphere_variable_limit = 8 + 5 * 1000;

class Atmosphere {
 public:
  /// Coordinates in degrees; no latitude may be at a pole.
  Atmosphere(uint64_t seed, const std::vector<double>& latitudes, const std::vector<double>& longitudes);

  /// Computes `rows` of `variable` (a name of `atmosphere_variables`) at `seconds` since 1970 into `out`
  /// (rows x columns).
  void read(const std::string& variable, int64_t seconds, Span rows, std::span<float> out) const;

  /// The rows to compute, the time (seconds since 1970) and the pressure (hPa; ignored by surface fields).
  struct Place {
    Span rows;
    int64_t seconds = 0;
    double pressure = 1000;
  };
  using Field = std::vector<float>;
  /// Each function below computes one field (place.rows x columns, row-major) in the units of
  /// atmosphere_variables.cpp.
  Field geopotential(const Place& place) const;
  Field temperature(const Place& place) const;
  Field eastward_wind(const Place& place) const;
  Field northward_wind(const Place& place) const;
  Field specific_humidity(const Place& place) const;
  Field temperature_2m(const Place& place) const;
  Field eastward_wind_10m(const Place& place) const;
  Field northward_wind_10m(const Place& place) const;
  Field sea_level_pressure(const Place& place) const;
  Field surface_pressure(const Place& place) const;
  Field incident_solar_radiation(const Place& place) const;
  Field land_fraction(const Place& place) const;
  Field surface_geopotential(const Place& place) const;

 private:
  Field wind_10m(const Place& place, bool eastward) const;
  void add_waves(WaveField field, bool derivative, double shift, const Place& place, Field& out) const;
  Field zonal(const Place& place, double constant, double squared, double linear) const;
  Field part(const Field& whole, Span rows) const;

  RossbyWaves waves_;
  int64_t columns_;
  std::vector<double> sine_, cosine_;  // of latitude
  std::vector<double> longitudes_;     // rad
  double stream_deviation_ = 1;        // m2/s
  Field land_, height_;                // whole grid: fraction, surface geopotential
};

}  // namespace graticule

#include "graticule/data/atmosphere.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "graticule/core/error.h"

namespace graticule {

namespace {

constexpr double radians = std::numbers::pi / 180;
constexpr double gas_constant = 287.05;  // R of dry air, J/(kg K)
constexpr double gravity = 9.80665;      // m/s2
constexpr double day = 86400, year = 365.2425 * day;
constexpr double epoch_2000 = 946684800;        // time 0 of the waves' phases, s since 1970
constexpr double geopotential_deviation = 750;  // of the waves at 500 hPa, m2/s2
constexpr double annual_warmth = 9;             // amplitude of the annual cycle at the poles, K

double height_of(double pressure) { return std::log(500 / pressure); }

// A(zeta) of atmosphere.h and its derivative.
double amplitude(double zeta) { return std::exp((0.81 - (zeta - 0.9) * (zeta - 0.9)) / 3); }
double amplitude_slope(double zeta) { return -2 * (zeta - 0.9) / 3 * amplitude(zeta); }

// Standard atmosphere: T = 288.15 (p / 1013.25)^0.19 up to where it reaches 216.65 K, constant above.
double standard_temperature(double pressure) {
  return std::max(216.65, 288.15 * std::pow(pressure / 1013.25, 0.19));
}
double standard_geopotential(double pressure) {
  const double tropopause = 1013.25 * std::pow(216.65 / 288.15, 1 / 0.19);
  const double below = std::max(pressure, tropopause);
  return gas_constant *
         (288.15 / 0.19 * (1 - std::pow(below / 1013.25, 0.19)) + 216.65 * std::log(below / pressure));
}

// The annual cycle: 1 in late July, -1 in late January.
double season(int64_t seconds) {
  return std::cos(2 * std::numbers::pi * (static_cast<double>(seconds) - epoch_2000 - 205 * day) / year);
}

// Hour angle of the sun, 0 at local noon.
double hour_angle(int64_t seconds, double longitude) {
  return 2 * std::numbers::pi * (std::fmod(static_cast<double>(seconds), day) / day - 0.5) + longitude;
}

// Saturation vapour pressure over water in Pa, at a temperature in K (Bolton 1980).
double saturation_pressure(double temperature) {
  return 611.2 * std::exp(17.67 * (temperature - 273.15) / (temperature - 29.65));
}

// Invented continents, the same for every seed. Positive values are land; the height grows inland.
double continent(double latitude, double longitude) {
  return std::cos(latitude) * std::sin(2 * longitude + 0.5) +
         0.6 * std::sin(2 * latitude) * std::cos(3 * longitude - 1.3) + 0.3 * std::sin(latitude) - 0.2;
}

}  // namespace

Atmosphere::Atmosphere(uint64_t seed, const std::vector<double>& latitudes,
                       const std::vector<double>& longitudes)
    : waves_(random_waves(seed, geopotential_deviation), latitudes, longitudes),
      columns_(static_cast<int64_t>(longitudes.size())) {
  double variance = 0;
  for (const Wave& wave : waves_.waves()) variance += wave.amplitude * wave.amplitude / 2;
  stream_deviation_ = std::sqrt(variance);
  for (const double longitude : longitudes) longitudes_.push_back(longitude * radians);
  for (const double latitude : latitudes) {
    sine_.push_back(std::sin(latitude * radians));
    cosine_.push_back(std::cos(latitude * radians));
    for (const double longitude : longitudes_) {
      const double inland = continent(latitude * radians, longitude);
      land_.push_back(static_cast<float>(1 / (1 + std::exp(-12 * inland))));
      height_.push_back(static_cast<float>(gravity * 1200 * std::max(0.0, inland) * std::max(0.0, inland)));
    }
  }
}

// constant + squared (sin(lat)^2 - 1/3) + linear sin(lat)
Atmosphere::Field Atmosphere::zonal(const Place& place, double constant, double squared,
                                    double linear) const {
  Field out;
  out.reserve(static_cast<size_t>(place.rows.size() * columns_));
  for (int64_t y = place.rows.begin; y < place.rows.end; ++y) {
    const double sine = sine_[static_cast<size_t>(y)];
    const double value = constant + squared * (sine * sine - 1.0 / 3) + linear * sine;
    out.insert(out.end(), static_cast<size_t>(columns_), static_cast<float>(value));
  }
  return out;
}

// Adds the waves at the height of place.pressure, taken from `shift` radians to the east. `derivative`: their
// derivative by zeta divided by R instead.
void Atmosphere::add_waves(WaveField field, bool derivative, double shift, const Place& place,
                           Field& out) const {
  const double zeta = height_of(place.pressure), upper = std::tanh(zeta + 0.5), lean = upper - std::tanh(0.5);
  auto coefficients = waves_.coefficients(static_cast<double>(place.seconds) - epoch_2000);
  for (size_t w = 0; w < coefficients.size(); ++w) {
    const Wave& wave = waves_.waves()[w];
    const std::complex<double> slope(amplitude_slope(zeta),
                                     amplitude(zeta) * wave.tilt * (1 - upper * upper));
    const std::complex<double> vertical = derivative ? slope / gas_constant : amplitude(zeta);
    coefficients[w] *= vertical * std::polar(1.0, wave.tilt * lean + wave.order * shift);
  }
  waves_.add(field, coefficients, place.rows, out);
}

Atmosphere::Field Atmosphere::geopotential(const Place& place) const {
  const double zeta = height_of(place.pressure), rotation = westerly_rotation * amplitude(zeta);
  const double balance = -earth_radius * earth_radius / 2 * rotation * (2 * earth_rotation + rotation);
  const double annual = gas_constant * annual_warmth * (1 + zeta) * season(place.seconds);
  Field out = zonal(place, standard_geopotential(place.pressure), balance, annual);
  add_waves(WaveField::geopotential, false, 0, place, out);
  return out;
}

Atmosphere::Field Atmosphere::temperature(const Place& place) const {
  const double zeta = height_of(place.pressure), rotation = westerly_rotation * amplitude(zeta);
  const double slope = westerly_rotation * amplitude_slope(zeta) * 2 * (earth_rotation + rotation);
  const double balance = -earth_radius * earth_radius / 2 * slope / gas_constant;
  Field out =
      zonal(place, standard_temperature(place.pressure), balance, annual_warmth * season(place.seconds));
  add_waves(WaveField::geopotential, true, 0, place, out);
  return out;
}

Atmosphere::Field Atmosphere::eastward_wind(const Place& place) const {
  Field out = zonal(place, 0, 0, 0);
  const double speed = earth_radius * westerly_rotation * amplitude(height_of(place.pressure));
  for (size_t i = 0; i < out.size(); ++i) {
    const size_t y = static_cast<size_t>(place.rows.begin) + i / static_cast<size_t>(columns_);
    out[i] = static_cast<float>(speed * cosine_[y]);
  }
  add_waves(WaveField::eastward, false, 0, place, out);
  return out;
}

Atmosphere::Field Atmosphere::northward_wind(const Place& place) const {
  Field out = zonal(place, 0, 0, 0);
  add_waves(WaveField::northward, false, 0, place, out);
  return out;
}

Atmosphere::Field Atmosphere::specific_humidity(const Place& place) const {
  Field moisture = zonal(place, 0, 0, 0);
  add_waves(WaveField::stream, false, 15 * radians, place, moisture);
  const Field temperatures = temperature(place);
  const double pressure = 100 * place.pressure;
  const double scale = 1 / (stream_deviation_ * amplitude(height_of(place.pressure)));
  for (size_t i = 0; i < moisture.size(); ++i) {
    const double vapour = (0.5 + 0.4 * std::tanh(moisture[i] * scale)) * saturation_pressure(temperatures[i]);
    moisture[i] = static_cast<float>(0.622 * vapour / (pressure + vapour));
  }
  return moisture;
}

Atmosphere::Field Atmosphere::temperature_2m(const Place& place) const {
  Field out = temperature({place.rows, place.seconds, 1000});
  const Field land = land_fraction(place), height = surface_geopotential(place);
  const double annual = 6 * season(place.seconds);
  std::vector<double> diurnal;  // warmest at 14 h local time
  for (const double longitude : longitudes_) {
    diurnal.push_back(4 * std::cos(hour_angle(place.seconds, longitude) - std::numbers::pi / 6));
  }
  for (size_t i = 0; i < out.size(); ++i) {
    const size_t y = static_cast<size_t>(place.rows.begin) + i / diurnal.size();
    const double contrast = annual * sine_[y] + cosine_[y] * diurnal[i % diurnal.size()];
    out[i] += static_cast<float>(land[i] * contrast - 0.0065 * height[i] / gravity);
  }
  return out;
}

// Friction slows the wind of 1000 hPa and turns it 20 degrees towards low pressure: leftwards in the north,
// rightwards in the south.
Atmosphere::Field Atmosphere::wind_10m(const Place& place, bool eastward) const {
  const Place low{place.rows, place.seconds, 1000};
  Field u = eastward_wind(low);
  const Field v = northward_wind(low), land = land_fraction(place);
  for (size_t i = 0; i < u.size(); ++i) {
    const size_t y = static_cast<size_t>(place.rows.begin) + i / static_cast<size_t>(columns_);
    const double angle = 20 * radians * sine_[y], slow = 0.85 - 0.35 * land[i];
    const double along = eastward ? u[i] * std::cos(angle) - v[i] * std::sin(angle)
                                  : u[i] * std::sin(angle) + v[i] * std::cos(angle);
    u[i] = static_cast<float>(slow * along);
  }
  return u;
}

Atmosphere::Field Atmosphere::eastward_wind_10m(const Place& place) const { return wind_10m(place, true); }
Atmosphere::Field Atmosphere::northward_wind_10m(const Place& place) const { return wind_10m(place, false); }

Atmosphere::Field Atmosphere::sea_level_pressure(const Place& place) const {
  const Place low{place.rows, place.seconds, 1000};
  Field out = geopotential(low);
  const Field temperatures = temperature(low);
  for (size_t i = 0; i < out.size(); ++i) {
    out[i] = static_cast<float>(1e5 * std::exp(out[i] / (gas_constant * temperatures[i])));
  }
  return out;
}

Atmosphere::Field Atmosphere::surface_pressure(const Place& place) const {
  Field out = sea_level_pressure(place);
  const Field temperatures = temperature({place.rows, place.seconds, 1000}),
              height = surface_geopotential(place);
  for (size_t i = 0; i < out.size(); ++i) {
    out[i] *= static_cast<float>(std::exp(-height[i] / (gas_constant * temperatures[i])));
  }
  return out;
}

// One hour of 1361 W/m2 times the cosine of the sun's zenith angle, in J/m2.
Atmosphere::Field Atmosphere::incident_solar_radiation(const Place& place) const {
  const double since_solstice = static_cast<double>(place.seconds) - epoch_2000 - 172 * day;
  const double declination = 23.44 * radians * std::cos(2 * std::numbers::pi * since_solstice / year);
  Field out;
  for (int64_t y = place.rows.begin; y < place.rows.end; ++y) {
    const double still = sine_[static_cast<size_t>(y)] * std::sin(declination);
    const double turning = cosine_[static_cast<size_t>(y)] * std::cos(declination);
    for (const double longitude : longitudes_) {
      const double zenith = still + turning * std::cos(hour_angle(place.seconds, longitude));
      out.push_back(static_cast<float>(1361 * 3600 * std::max(0.0, zenith)));
    }
  }
  return out;
}

Atmosphere::Field Atmosphere::part(const Field& whole, Span rows) const {
  return {whole.begin() + rows.begin * columns_, whole.begin() + rows.end * columns_};
}

Atmosphere::Field Atmosphere::land_fraction(const Place& place) const { return part(land_, place.rows); }
Atmosphere::Field Atmosphere::surface_geopotential(const Place& place) const {
  return part(height_, place.rows);
}

}  // namespace graticule

#include "graticule/data/rossby_waves.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "graticule/core/error.h"
#include "graticule/data/random.h"

namespace graticule {

namespace {

constexpr double degree = std::numbers::pi / 180;  // in radians

// epsilon(l) of the recurrence sin(lat) P_l = epsilon(l + 1) P_(l + 1) + epsilon(l) P_(l - 1).
double epsilon(int l, int m) {
  return std::sqrt(static_cast<double>(l * l - m * m) / static_cast<double>(4 * l * l - 1));
}

// Returns P_(l - 1), P_l, P_(l + 1) of order m at one latitude.
std::array<double, 3> legendre(int l, int m, double sine, double cosine) {
  double before = 0, here = 1;
  for (int k = 1; k <= m; ++k) here *= cosine * std::sqrt((2.0 * k + 1) / (2.0 * k));
  for (int k = m; k < l; ++k) {
    const double after = (sine * here - epsilon(k, m) * before) / epsilon(k + 1, m);
    before = here;
    here = after;
  }
  return {before, here, (sine * here - epsilon(l, m) * before) / epsilon(l + 1, m)};
}

// The geopotential in linear balance with psi = P_l is a P_(l - 1) + b P_(l + 1). Returns a and b.
std::pair<double, double> balance(int l, int m) {
  return {2 * earth_rotation * (l + 1) / l * epsilon(l, m),
          2 * earth_rotation * l / (l + 1) * epsilon(l + 1, m)};
}

}  // namespace

double wave_speed(int degree) {
  return westerly_rotation - 2 * (earth_rotation + westerly_rotation) / (degree * (degree + 1.0));
}

std::vector<Wave> random_waves(uint64_t seed, double geopotential) {
  Random random(seed);
  std::vector<Wave> waves;
  double variance = 0;
  for (int m = 1; m <= 9; ++m) {
    for (int l = std::max(5, m + 1); l <= std::min(14, m + 6); ++l) {
      const auto [below, above] = balance(l, m);
      const double strength = (0.5 + random.uniform()) * std::exp(-(l - 7.0) * (l - 7.0) / 25);
      waves.push_back({l, m, strength / std::hypot(below, above), 2 * std::numbers::pi * random.uniform(),
                       1.5 + random.uniform()});
      variance += strength * strength / 2;
    }
  }
  for (Wave& wave : waves) wave.amplitude *= geopotential / std::sqrt(variance);
  return waves;
}

RossbyWaves::RossbyWaves(std::vector<Wave> waves, const std::vector<double>& latitudes,
                         const std::vector<double>& longitudes)
    : waves_(std::move(waves)), columns_(static_cast<int64_t>(longitudes.size())) {
  for (const Wave& wave : waves_) orders_ = std::max(orders_, wave.order + 1);
  for (const double latitude : latitudes) {
    const double sine = std::sin(latitude * degree), cosine = std::cos(latitude * degree);
    for (const auto& [l, m, amplitude, phase, tilt] : waves_) {
      const auto [below, here, above] = legendre(l, m, sine, cosine);
      const auto [balance_below, balance_above] = balance(l, m);
      // cos(lat)^2 dP_l/dsin(lat) = (l + 1) epsilon(l) P_(l - 1) - l epsilon(l + 1) P_(l + 1)
      const double slope = (l + 1) * epsilon(l, m) * below - l * epsilon(l + 1, m) * above;
      stream_.push_back(here);
      eastward_.push_back(-slope / (earth_radius * cosine));
      northward_.push_back(m * here / (earth_radius * cosine));
      geopotential_.push_back(balance_below * below + balance_above * above);
    }
  }
  for (int m = 0; m < orders_; ++m) {
    for (const double longitude : longitudes) {
      cosine_.push_back(static_cast<float>(std::cos(m * longitude * degree)));
      sine_.push_back(static_cast<float>(std::sin(m * longitude * degree)));
    }
  }
}

std::vector<std::complex<double>> RossbyWaves::coefficients(double seconds) const {
  std::vector<std::complex<double>> result;
  for (const Wave& wave : waves_) {
    result.push_back(std::polar(wave.amplitude, wave.phase - wave.order * wave_speed(wave.degree) * seconds));
  }
  return result;
}

std::span<const double> RossbyWaves::profiles(WaveField field, int64_t row) const {
  const auto& all = field == WaveField::stream      ? stream_
                    : field == WaveField::eastward  ? eastward_
                    : field == WaveField::northward ? northward_
                                                    : geopotential_;
  return std::span(all).subspan(static_cast<size_t>(row) * waves_.size(), waves_.size());
}

void RossbyWaves::add(WaveField field, std::span<const std::complex<double>> coefficients, Span rows,
                      std::span<float> out) const {
  GRATICULE_CHECK(coefficients.size() == waves_.size());
  GRATICULE_CHECK(static_cast<int64_t>(out.size()) == rows.size() * columns_);
  const std::complex<double> turn = field == WaveField::northward ? std::complex<double>(0, 1) : 1.0;
  std::vector<std::complex<double>> by_order(static_cast<size_t>(orders_));
  for (int64_t y = rows.begin; y < rows.end; ++y) {
    std::fill(by_order.begin(), by_order.end(), 0);
    const auto profile = profiles(field, y);
    for (size_t w = 0; w < waves_.size(); ++w) {
      by_order[static_cast<size_t>(waves_[w].order)] += turn * coefficients[w] * profile[w];
    }
    float* line = out.data() + (y - rows.begin) * columns_;
    for (int m = 1; m < orders_; ++m) {
      const auto real = static_cast<float>(by_order[static_cast<size_t>(m)].real());
      const auto imaginary = static_cast<float>(by_order[static_cast<size_t>(m)].imag());
      const float* cosine = cosine_.data() + m * columns_;
      const float* sine = sine_.data() + m * columns_;
      for (int64_t x = 0; x < columns_; ++x) line[x] += real * cosine[x] - imaginary * sine[x];
    }
  }
}

}  // namespace graticule

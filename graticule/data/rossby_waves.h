// Rossby-Haurwitz waves: the stream function of a barotropic atmosphere on the sphere, computed at any time.
// atmosphere.h makes the synthetic atmosphere from it.
//
// The barotropic vorticity equation d(zeta)/dt + J(psi, zeta + 2 Omega sin lat) = 0, zeta = laplace(psi), is
// linearised about solid-body rotation psi_0 = -a^2 omega sin lat (a wind a omega cos lat from the west).
// Every spherical harmonic of degree l then travels unchanged with the angular speed
//
//   speed(l) = omega - 2 (Omega + omega) / (l (l + 1))      (Haurwitz 1940)
//
// So the sum of waves below solves the linearised equation exactly. Waves of one single l solve the full,
// nonlinear equation too. Waves of several l do not: their mutual advection is left out.
#pragma once

#include <complex>
#include <cstdint>
#include <span>
#include <vector>

#include "graticule/core/span.h"

namespace graticule {

inline constexpr double earth_radius = 6.371e6;      ///< a, m
inline constexpr double earth_rotation = 7.292e-5;   ///< Omega, rad/s
inline constexpr double westerly_rotation = 3.1e-6;  ///< omega, rad/s: 20 m/s at the equator

/// One harmonic: amplitude * P_lm(sin lat) * cos(m (lon - speed(l) t) + phase). P_lm has mean square 1 over
/// sin lat.
struct Wave {
  int degree = 1;        ///< l
  int order = 1;         ///< m, 1 to l
  double amplitude = 0;  ///< of the stream function, m2/s
  double phase = 0;      ///< at t = 0, rad
  double tilt = 0;       ///< how far the wave leans westwards with height, rad (used by atmosphere.h)
};

/// Angular speed of harmonics of degree l, rad/s eastwards.
double wave_speed(int degree);

/// 47 waves of degrees 5 to 14 and orders 1 to 9. `geopotential`: the standard deviation of their
/// geopotential at 500 hPa, in m2/s2.
std::vector<Wave> random_waves(uint64_t seed, double geopotential);

/// What can be computed from the waves: psi (m2/s), u = -(1/a) dpsi/dlat and v = 1/(a cos lat) dpsi/dlon
/// (m/s), and the geopotential phi (m2/s2) in linear balance: laplace(phi) = div(f grad(psi)), f = 2 Omega
/// sin lat.
enum class WaveField { stream, eastward, northward, geopotential };

/// Sums of waves on a grid. The meridional profiles are computed once. One field then costs rows * columns *
/// 2 m multiplications, with m the largest order (9 for random_waves).
class RossbyWaves {
 public:
  /// Coordinates in degrees; no latitude may be at a pole.
  RossbyWaves(std::vector<Wave> waves, const std::vector<double>& latitudes,
              const std::vector<double>& longitudes);

  const std::vector<Wave>& waves() const { return waves_; }
  /// amplitude * exp(i (phase - m speed t)) of every wave, t in seconds.
  std::vector<std::complex<double>> coefficients(double seconds) const;
  /// Adds to `out` (rows x columns) the real part of the sum over waves of coefficient * field of P_lm(sin
  /// lat) exp(i m lon).
  void add(WaveField field, std::span<const std::complex<double>> coefficients, Span rows,
           std::span<float> out) const;

 private:
  std::span<const double> profiles(WaveField field, int64_t row) const;

  std::vector<Wave> waves_;
  int64_t columns_;
  int orders_ = 1;                                                    // largest m, plus 1
  std::vector<double> stream_, eastward_, northward_, geopotential_;  // rows x waves
  std::vector<float> cosine_, sine_;                                  // orders x columns: of m lon
};

}  // namespace graticule

// Tests the synthetic Rossby waves against the equations that they solve.
#include "graticule/data/rossby_waves.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

namespace graticule {
namespace {

constexpr double radians = std::numbers::pi / 180;

struct Grid {
  std::vector<double> latitudes, longitudes;
  Grid(int64_t rows, int64_t columns) {
    for (int64_t y = 0; y < rows; ++y) latitudes.push_back(180 * (y + 0.5) / rows - 90);
    for (int64_t x = 0; x < columns; ++x) longitudes.push_back(360.0 * x / columns);
  }
};

struct Field {
  int64_t columns;
  std::vector<float> values;
  double at(int64_t y, int64_t x) const {
    return values[static_cast<size_t>(y * columns + (x + columns) % columns)];
  }
};

Field evaluate(const RossbyWaves& waves, const Grid& grid, WaveField what, double seconds) {
  const auto rows = static_cast<int64_t>(grid.latitudes.size()),
             columns = static_cast<int64_t>(grid.longitudes.size());
  Field field{columns, std::vector<float>(static_cast<size_t>(rows * columns), 0)};
  waves.add(what, waves.coefficients(seconds), {0, rows}, field.values);
  return field;
}

double root_mean_square(const std::vector<double>& values) {
  double sum = 0;
  for (const double x : values) sum += x * x;
  return std::sqrt(sum / static_cast<double>(values.size()));
}

// Second-order centred differences on the sphere at an inner row.
struct Stencil {
  const Grid& grid;
  double dlat = (grid.latitudes[1] - grid.latitudes[0]) * radians,
         dlon = 360.0 / grid.longitudes.size() * radians;

  double cosine(double y) const { return std::cos((grid.latitudes[0] * radians) + y * dlat); }
  double sine(double y) const { return std::sin((grid.latitudes[0] * radians) + y * dlat); }
  double north(const Field& f, int64_t y, int64_t x) const {
    return (f.at(y + 1, x) - f.at(y - 1, x)) / (2 * dlat * earth_radius);
  }
  double east(const Field& f, int64_t y, int64_t x) const {
    return (f.at(y, x + 1) - f.at(y, x - 1)) / (2 * dlon * earth_radius * cosine(static_cast<double>(y)));
  }
  // div(g grad f), g given at (fractional) rows.
  template <class G>
  double divergence(const Field& f, int64_t y, int64_t x, G g) const {
    const auto row = static_cast<double>(y);
    const auto flux = [&](double edge, double step) { return cosine(edge) * g(edge) * step / dlat; };
    const double meridional =
        (flux(row + 0.5, f.at(y + 1, x) - f.at(y, x)) - flux(row - 0.5, f.at(y, x) - f.at(y - 1, x))) /
        (dlat * cosine(row));
    const double zonal = g(row) * (f.at(y, x + 1) - 2 * f.at(y, x) + f.at(y, x - 1)) /
                         (dlon * dlon * cosine(row) * cosine(row));
    return (meridional + zonal) / (earth_radius * earth_radius);
  }
  double laplace(const Field& f, int64_t y, int64_t x) const {
    return divergence(f, y, x, [](double) { return 1.0; });
  }
};

// Values of `f(y, x)` over the rows away from the poles, where centred differences of longitude are fine.
template <class F>
std::vector<double> over_middle(const Grid& grid, F f) {
  std::vector<double> values;
  for (int64_t y = 0; y < static_cast<int64_t>(grid.latitudes.size()); ++y) {
    if (std::abs(grid.latitudes[static_cast<size_t>(y)]) > 75) continue;
    for (int64_t x = 0; x < static_cast<int64_t>(grid.longitudes.size()); ++x) values.push_back(f(y, x));
  }
  return values;
}

TEST(RossbyWaves, one_wave_moves_by_whole_columns_at_its_speed) {
  const Grid grid(16, 72);
  for (const auto& [l, m] : {std::pair{5, 4}, {9, 3}, {14, 9}}) {
    const RossbyWaves wave({{l, m, 1e6, 0.7, 0}}, grid.latitudes, grid.longitudes);
    const int64_t shift = 7;
    const double seconds = static_cast<double>(shift) * 5 * radians / wave_speed(l);
    for (const WaveField what :
         {WaveField::stream, WaveField::eastward, WaveField::northward, WaveField::geopotential}) {
      const Field before = evaluate(wave, grid, what, 0), after = evaluate(wave, grid, what, seconds);
      double scale = 0, error = 0;
      for (int64_t y = 0; y < 16; ++y) {
        for (int64_t x = 0; x < 72; ++x) {
          scale = std::max(scale, std::abs(before.at(y, x)));
          error = std::max(error, std::abs(after.at(y, x + shift) - before.at(y, x)));
        }
      }
      EXPECT_GT(scale, 0);
      EXPECT_LT(error, 2e-6 * scale) << "degree " << l << " order " << m;
    }
  }
}

TEST(RossbyWaves, solve_the_linearised_vorticity_equation) {
  const Grid grid(180, 360);
  const RossbyWaves waves(random_waves(3, 750), grid.latitudes, grid.longitudes);
  const double now = 3.2e7, step = 600;
  const Field before = evaluate(waves, grid, WaveField::stream, now - step),
              after = evaluate(waves, grid, WaveField::stream, now + step);
  const Field here = evaluate(waves, grid, WaveField::stream, now);
  Field vorticity = here;
  const Stencil stencil{grid};
  for (int64_t y = 1; y < 179; ++y) {
    for (int64_t x = 0; x < 360; ++x)
      vorticity.values[static_cast<size_t>(y * 360 + x)] = static_cast<float>(stencil.laplace(here, y, x));
  }
  const auto tendency = [&](int64_t y, int64_t x) {
    return (stencil.laplace(after, y, x) - stencil.laplace(before, y, x)) / (2 * step);
  };
  const auto mean_wind = over_middle(grid, [&](int64_t y, int64_t x) {
    return westerly_rotation * earth_radius * stencil.cosine(static_cast<double>(y)) *
           stencil.east(vorticity, y, x);
  });
  const auto residual = over_middle(grid, [&](int64_t y, int64_t x) {
    const double cosine = stencil.cosine(static_cast<double>(y));
    const double beta = 2 * (earth_rotation + westerly_rotation) * cosine / earth_radius;
    return tendency(y, x) + westerly_rotation * earth_radius * cosine * stencil.east(vorticity, y, x) +
           beta * stencil.east(here, y, x);
  });
  EXPECT_LT(root_mean_square(residual), 0.02 * root_mean_square(mean_wind));
}

TEST(RossbyWaves, wind_and_geopotential_follow_from_the_stream_function) {
  const Grid grid(181, 360);  // odd: one row on the equator
  const RossbyWaves waves(random_waves(4, 750), grid.latitudes, grid.longitudes);
  const Stencil stencil{grid};
  const Field psi = evaluate(waves, grid, WaveField::stream, 5e6),
              u = evaluate(waves, grid, WaveField::eastward, 5e6);
  const Field v = evaluate(waves, grid, WaveField::northward, 5e6),
              phi = evaluate(waves, grid, WaveField::geopotential, 5e6);
  const auto relative = [&](auto exact, auto discrete) {
    const auto error = over_middle(grid, [&](int64_t y, int64_t x) { return exact(y, x) - discrete(y, x); });
    return root_mean_square(error) / root_mean_square(over_middle(grid, exact));
  };
  EXPECT_LT(relative([&](int64_t y, int64_t x) { return u.at(y, x); },
                     [&](int64_t y, int64_t x) { return -stencil.north(psi, y, x); }),
            0.01);
  EXPECT_LT(relative([&](int64_t y, int64_t x) { return v.at(y, x); },
                     [&](int64_t y, int64_t x) { return stencil.east(psi, y, x); }),
            0.01);
  const auto coriolis = [&](double y) { return 2 * earth_rotation * stencil.sine(y); };
  EXPECT_LT(relative([&](int64_t y, int64_t x) { return stencil.divergence(psi, y, x, coriolis); },
                     [&](int64_t y, int64_t x) { return stencil.laplace(phi, y, x); }),
            0.02);
}

}  // namespace
}  // namespace graticule

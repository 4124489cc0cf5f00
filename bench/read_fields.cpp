// Times how fast the library reads a data set: every variable at every time, one field after another.
//
//   read_fields PATH [REPEATS]
//
// Prints one JSON object. bench/read_fields.py compares it with xarray.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <limits>
#include <vector>

#include "graticule/data/source.h"

int main(int argc, char** argv) try {
  if (argc < 2) {
    std::fputs("usage: read_fields PATH [REPEATS]\n", stderr);
    return 2;
  }
  const int repeats = argc > 2 ? std::atoi(argv[2]) : 3;
  double best = std::numeric_limits<double>::infinity(), sum = 0;
  size_t bytes = 0;
  for (int repeat = 0; repeat < repeats; ++repeat) {
    const auto begin = std::chrono::steady_clock::now();
    const auto source = graticule::open_source(argv[1]);
    const graticule::Catalog& catalog = source->catalog();
    const size_t field = catalog.latitudes.size() * catalog.longitudes.size();
    std::vector<float> values(field * catalog.variables.size());
    sum = 0;
    for (size_t t = 0; t < catalog.times.size(); ++t) {
      for (size_t v = 0; v < catalog.variables.size(); ++v) {
        source->read(catalog.variables[v].name, static_cast<int64_t>(t),
                     {0, static_cast<int64_t>(catalog.latitudes.size())},
                     std::span(values).subspan(v * field, field));
      }
      sum += values[t % values.size()];
    }
    bytes = 4 * values.size() * catalog.times.size();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  std::printf("{\"bytes\": %zu, \"seconds\": %.6f, \"mb_per_s\": %.1f, \"check\": %.6f}\n", bytes, best,
              static_cast<double>(bytes) / best / 1e6, sum);
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}

// Times how fast the library reads a data set: every variable at every time, one field after another.
//
//   read_fields PATH [REPEATS [THREADS [PARTS]]]
//
// THREADS share the times. With PARTS > 1 only the first rows are read, one PARTS-th, as a rank does that holds
// these rows. Prints one JSON object; "cpu" counts the seconds of all
// threads. "check" is the sum of one value of each state. bench/read_fields.py
// compares it with other programs.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <limits>
#include <numeric>
#include <thread>
#include <vector>

#include "graticule/comm/launch.h"
#include "graticule/data/source.h"

namespace {

// Reads the times first, first + step, ... with a source of its own. Returns their part of the check.
double read_times(const char* path, size_t first, size_t step, int64_t parts, size_t& bytes) {
  const auto source = graticule::open_source(path);
  const graticule::Catalog& catalog = source->catalog();
  const graticule::Span rows{0, static_cast<int64_t>(catalog.latitudes.size()) / parts};
  const size_t field = static_cast<size_t>(rows.size()) * catalog.longitudes.size();
  std::vector<float> values(field * catalog.variables.size());
  double sum = 0;
  for (size_t t = first; t < catalog.times.size(); t += step) {
    for (size_t v = 0; v < catalog.variables.size(); ++v) {
      source->read(catalog.variables[v].name, static_cast<int64_t>(t), rows,
                   std::span(values).subspan(v * field, field));
    }
    sum += static_cast<double>(values[t % values.size()]);
  }
  bytes = 4 * values.size() * catalog.times.size();
  return sum;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 2) {
    std::fputs("usage: read_fields PATH [REPEATS [THREADS [PARTS]]]\n", stderr);
    return 2;
  }
  graticule::keep_freed_memory();  // as a job does
  const int repeats = argc > 2 ? std::atoi(argv[2]) : 3;
  const auto threads = static_cast<size_t>(argc > 3 ? std::atoi(argv[3]) : 1);
  const int64_t parts = argc > 4 ? std::atoi(argv[4]) : 1;
  double best = std::numeric_limits<double>::infinity(), cpu = best, sum = 0;
  size_t bytes = 0;
  for (int repeat = 0; repeat <= repeats; ++repeat) {  // the first is not timed: it warms the memory up
    const auto begin = std::chrono::steady_clock::now();
    const std::clock_t cpu_begin = std::clock();
    std::vector<double> sums(threads);
    std::vector<size_t> counted(threads);
    {
      std::vector<std::jthread> workers;
      for (size_t i = 0; i < threads; ++i) {
        workers.emplace_back([&, i] { sums[i] = read_times(argv[1], i, threads, parts, counted[i]); });
      }
    }
    bytes = counted[0];
    sum = std::accumulate(sums.begin(), sums.end(), 0.0);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    if (repeat == 0) continue;
    best = std::min(best, seconds);
    cpu = std::min(cpu, static_cast<double>(std::clock() - cpu_begin) / CLOCKS_PER_SEC);
  }
  std::printf("{\"bytes\": %zu, \"seconds\": %.6f, \"cpu\": %.6f, \"mb_per_s\": %.1f, \"check\": %.6f}\n",
              bytes, best, cpu, static_cast<double>(bytes) / best / 1e6, sum);
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}

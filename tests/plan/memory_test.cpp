// The count from sizes against the program itself on meta tensors.

#include "graticule/plan/memory.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "graticule/plan/cpu_scratch.h"
#include "graticule/plan/dry_run.h"
#include "tests/plan/layout_draws.h"

namespace graticule {
namespace {

TEST(Memory, OfAStepIsThatOfADryRun) {
  const auto seed = std::random_device{}();
  at::set_num_threads(1);
  std::mt19937_64 random(seed);
  std::vector<double> errors;
  for (int i = 0; i < 200; ++i) {
    const Draw draw = draw_planned_layout(random, {Activations::keep, Activations::recompute_but_attention,
                                                   Activations::recompute, Activations::offload});
    const int rank = static_cast<int>(random() % static_cast<uint64_t>(draw.axes.world()));
    const Booked measured = dry_run(draw.options, draw.shape, {draw.axes.world(), rank}).peak;
    const Booked counted =
        memory_of_step(draw.options, draw.shape, draw.axes, rank, cpu_scratch(draw.options.train.precision));
    const double error = static_cast<double>(counted.total()) / static_cast<double>(measured.total()) - 1;
    errors.push_back(std::abs(error));
    EXPECT_LT(errors.back(), 0.1) << "seed " << seed << ", draw " << i << ", rank " << rank << ", "
                                  << draw.shape.grid.tokens() << " tokens of " << draw.shape.grid.variables
                                  << " variables\n"
                                  << described(draw) << "\ncounted\n"
                                  << table_of(counted) << "dry run\n"
                                  << table_of(measured);
  }
  std::sort(errors.begin(), errors.end());
  std::cout << "seed " << seed << ": median " << errors[100] << ", worst " << errors.back() << "\n";
  EXPECT_LT(errors[100], 0.03) << "seed " << seed;
}

}  // namespace
}  // namespace graticule

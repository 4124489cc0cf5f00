// Compares memory_of_step with a dry run: the error is below 10 % for every layout, below 3 % in the median.

#include "graticule/footprint/step_memory.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "graticule/dry/dry_run.h"
#include "graticule/footprint/cpu_scratch.h"
#include "graticule/kernel/product_choice.h"
#include "graticule/kernel/stand_in.h"
#include "tests/footprint/layout_draws.h"
#include "tests/seed.h"

namespace graticule {
namespace {

// The kernels of every instruction set of this processor; nothing stands for a GPU's.
std::vector<std::optional<CpuKernels>> kernels_here(Precision precision) {
  std::vector<std::optional<CpuKernels>> all = {std::nullopt, CpuKernels{CpuLevel::aten, 0}};
  for (const CpuLevel level : {CpuLevel::avx2, CpuLevel::avx512, CpuLevel::avx512_bf16, CpuLevel::amx}) {
    const bool has_tiles = cpu_tiles(level) && cpu_runs(level);
    if (!has_tiles || (level >= CpuLevel::avx512_bf16 && precision != Precision::bf16)) continue;
    for (const int64_t terms : {int64_t{0}, int64_t{64}, all_terms})
      all.emplace_back(CpuKernels{level, terms});
  }
  return all;
}

struct Counted {
  Booked counted, measured;
  double error() const {
    return std::abs(static_cast<double>(counted.total()) / static_cast<double>(measured.total()) - 1);
  }
};

// The scratch of a run of the draw with these kernels.
Counted count(Draw draw, int rank, const std::optional<CpuKernels>& kernels) {
  if (!kernels) draw.options.train.device = DeviceKind::cuda, draw.options.train.state_in.clear();
  const StandIn scope(kernels);
  return {memory_of_step(draw.options, draw.shape, draw.axes, rank, scratch_of(draw.options.train)),
          dry_run(draw.options, draw.shape, {draw.axes.world(), rank}).peak};
}

std::string described(const std::optional<CpuKernels>& kernels) {
  if (!kernels) return "a GPU";
  return text("level ", static_cast<int>(kernels->attention), ", blocks up to ", kernels->block_terms,
              " terms");
}

TEST(Memory, OfAStepIsThatOfADryRun) {
  const auto seed = test_seed();
  at::set_num_threads(1);
  std::mt19937_64 random(seed);
  std::vector<double> errors;
  for (int i = 0; i < 200; ++i) {
    const Draw draw = draw_planned_layout(random, {Activations::keep, Activations::recompute_but_attention,
                                                   Activations::recompute, Activations::offload});
    const int rank = static_cast<int>(random() % static_cast<uint64_t>(draw.axes.world()));
    const auto kernels = draws::pick(random, kernels_here(draw.options.train.precision));
    const Counted both = count(draw, rank, kernels);
    errors.push_back(both.error());
    EXPECT_LT(errors.back(), 0.1) << "seed " << seed << ", draw " << i << ", rank " << rank << ", "
                                  << draw.shape.grid.tokens() << " tokens of " << draw.shape.grid.variables
                                  << " variables, kernels of " << described(kernels) << "\n"
                                  << described(draw) << "\ncounted\n"
                                  << table_of(both.counted) << "dry run\n"
                                  << table_of(both.measured);
  }
  std::sort(errors.begin(), errors.end());
  std::cout << "seed " << seed << ": median " << errors[100] << ", worst " << errors.back() << "\n";
  EXPECT_LT(errors[100], 0.03) << "seed " << seed;
}

}  // namespace
}  // namespace graticule

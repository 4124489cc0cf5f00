// Tests the operations of a step: all ranks together do those of the model, and what a policy repeats.

#include "graticule/plan/work.h"

#include <gtest/gtest.h>

#include "tests/footprint/layout_draws.h"
#include "tests/seed.h"

namespace graticule {
namespace {

StepWork of_all_ranks(const Draw& draw) {
  StepWork all;
  for (int rank = 0; rank < draw.axes.world(); ++rank) {
    const StepWork step = work_of_step(draw.options, draw.shape, draw.axes, rank);
    all.forward = all.forward + step.forward, all.backward = all.backward + step.backward;
    all.again = all.again + step.again;
  }
  return all;
}

TEST(Work, OfAllRanksIsTheModels) {
  const auto seed = test_seed();
  std::mt19937_64 random(seed);
  for (int i = 0; i < 200; ++i) {
    const Draw draw = with_task(draw_layout(random, {Activations::keep}, 200), random);
    SCOPED_TRACE(text("seed ", seed, ", draw ", i, "\n", described(draw)));
    const StepWork all = of_all_ranks(draw);
    const auto batch = static_cast<double>(draw.options.data.batch);
    const Flops one = flops(draw.shape);
    const auto steps = static_cast<double>(draw.options.train.rollout);  // all but one run ahead too
    const double forwards = batch * (2 * steps - 1);
    EXPECT_NEAR(all.forward.linear / (forwards * (one.tokenizer + one.linear + one.head)), 1, 1e-12);
    EXPECT_NEAR(all.forward.attention / (forwards * one.attention), 1, 1e-12);
    EXPECT_NEAR((all.all().linear + all.all().attention) /
                    (batch * (steps * one.step() + (steps - 1) * one.forward())),
                1, 1e-12);
    EXPECT_EQ(all.again.linear, 0);
  }
}

TEST(Work, PoliciesRunForwardsAgain) {
  const auto seed = test_seed();
  std::mt19937_64 random(seed);
  for (int i = 0; i < 50; ++i) {
    Draw draw = draw_layout(random, {Activations::recompute}, 60);
    SCOPED_TRACE(text("seed ", seed, ", draw ", i, "\n", described(draw)));
    const StepWork recompute = of_all_ranks(draw);
    const auto steps = static_cast<double>(draw.options.train.rollout);
    EXPECT_NEAR(recompute.again.attention / recompute.forward.attention, steps / (2 * steps - 1), 1e-12);
    draw.options.train.activations = Activations::recompute_but_attention;
    const StepWork lean = of_all_ranks(draw);
    EXPECT_EQ(lean.again.attention, 0);
    EXPECT_LT(lean.again.linear, recompute.again.linear);
  }
}

}  // namespace
}  // namespace graticule

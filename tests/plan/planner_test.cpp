// Tests the planner: it enumerates every layout that training accepts, each once, and its best layout is the
// fastest that fits.

#include "graticule/plan/planner.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "graticule/plan/advice.h"
#include "graticule/plan/layout_choices.h"
#include "graticule/plan/reasons.h"
#include "tests/footprint/layout_draws.h"
#include "tests/seed.h"

namespace graticule {
namespace {

// A recipe that leaves its layout open.
Draw open_draw(std::mt19937_64& random, int64_t batch) {
  Draw draw = draw_layout(random, {Activations::keep}, 8);
  draw.options.parallel = {}, draw.options.train.activations.reset();
  draw.options.data.batch = batch;
  return draw;
}

// The layout as lines of a recipe: every key of a layout and no other.
std::string text_of(const Layout& layout) {
  Options only;
  only.data.path = "synthetic";
  return to_toml(with_layout(only, layout));
}

std::vector<Layout> all_layouts(const Options& options, const ModelShape& shape, int ranks, int64_t devices) {
  std::vector<Layout> all;
  for (const Axes& axes : open_axes(options, shape, ranks)) {
    for (const Layout& frame : frames_of(options, shape, axes)) {
      const auto variants = variants_of(options, shape, frame, devices);
      EXPECT_EQ(text_of(variants.front()), text_of(frame));
      all.insert(all.end(), variants.begin(), variants.end());
    }
  }
  return all;
}

TEST(Layouts, AreThoseThatTrainingTakesEachOnce) {
  const auto seed = test_seed();
  std::mt19937_64 random(seed);
  for (const int ranks : {1, 2, 3, 6, 8, 12}) {
    const Draw draw = open_draw(random, 5);
    SCOPED_TRACE(text("seed ", seed, ", ", ranks, " ranks\n", described(draw)));
    std::set<std::string> seen;
    std::set<std::string> degrees;
    for (const Layout& layout : all_layouts(draw.options, draw.shape, ranks, 4)) {
      const Options options = with_layout(draw.options, layout);
      const Axes axes = axes_of(layout);
      EXPECT_EQ(axes.world(), ranks);
      EXPECT_EQ(trouble_with(axes, options, draw.shape), std::nullopt) << described(layout);
      EXPECT_EQ(resolve_axes(options, ranks, draw.shape), axes);
      EXPECT_TRUE(seen.insert(text_of(layout)).second) << "twice: " << described(layout);
      degrees.insert(described(axes));
    }
    std::set<std::string> expected;
    for (int code = 0; code < ranks * ranks * ranks * ranks; ++code) {
      const Axes axes{1 + code % ranks, 1 + code / ranks % ranks, 1 + code / ranks / ranks % ranks,
                      1 + code / ranks / ranks / ranks, 1};
      if (ranks % axes.world() != 0) continue;
      Axes whole = axes;
      whole.tensor = ranks / axes.world();
      if (!trouble_with(whole, draw.options, draw.shape)) expected.insert(described(whole));
    }
    EXPECT_EQ(degrees, expected);
  }
}

TEST(Layouts, KeepWhatTheRecipeNames) {
  const auto seed = test_seed();
  std::mt19937_64 random(seed);
  for (int i = 0; i < 30; ++i) {
    Draw draw = draw_layout(random, {Activations::keep, Activations::recompute}, 8);
    SCOPED_TRACE(text("seed ", seed, ", draw ", i, "\n", described(draw)));
    const Layout given{draw.options.parallel, *draw.options.train.activations};
    draw.options.named = {layout_keys().begin(), layout_keys().end()};
    const auto only = all_layouts(draw.options, draw.shape, draw.axes.world(), 4);
    ASSERT_EQ(only.size(), 1U);
    EXPECT_EQ(text_of(only.front()), text_of(given));

    // Some keys are no longer named. The given degrees are still among the layouts, and the other named keys
    // stay.
    Options some = draw.options;
    some.parallel.data = some.parallel.ulysses = 0, some.parallel.context = 0;
    for (const char* key : {"parallel.data", "parallel.ulysses", "parallel.context", "train.activations"}) {
      some.named.erase(key);
    }
    bool found = false;
    for (const Layout& layout : all_layouts(some, draw.shape, draw.axes.world(), 4)) {
      found = found || axes_of(layout) == draw.axes;
      ParallelOptions same = layout.parallel;
      fill_in(same, draw.axes);
      EXPECT_EQ(text_of({same, given.activations}), text_of(given));
      EXPECT_EQ(layout.parallel.tensor, draw.axes.tensor);
      EXPECT_EQ(layout.parallel.pipeline, draw.axes.pipeline);
    }
    EXPECT_TRUE(found);
  }
}

// Times all layouts. Of those that are faster than the best it draws a few: none of them may fit.
TEST(Planner, BestIsTheFastestThatFits) {
  const auto seed = test_seed();
  std::mt19937_64 random(seed);
  const Cluster cluster = cluster_named("perlmutter");
  for (const int ranks : {1, 4, 6}) {
    const Draw draw = open_draw(random, 4);
    SCOPED_TRACE(text("seed ", seed, ", ", ranks, " ranks\n", described(draw)));
    Question question{cluster, draw.options, draw.shape, ranks, int64_t{1} << 40};
    auto all = all_layouts(draw.options, draw.shape, ranks, cluster.devices_per_node);
    const auto time = [&](const Layout& layout) {
      return time_of_step(cluster, with_layout(draw.options, layout), draw.shape, axes_of(layout)).total();
    };
    std::shuffle(all.begin(), all.end(), random);
    const double fastest = time(*std::min_element(
        all.begin(), all.end(), [&](const Layout& a, const Layout& b) { return time(a) < time(b); }));
    const Plan roomy = plan_layouts(question, 3);
    EXPECT_NEAR(roomy.best.front().time.total(), fastest, 1e-8 * fastest);
    EXPECT_TRUE(std::is_sorted(roomy.best.begin(), roomy.best.end(), [](const auto& a, const auto& b) {
      return a.time.total() < b.time.total() * (1 - 1e-8);
    }));

    question.memory = measured(question, all.front()).memory.total();
    const Plan tight = plan_layouts(question, 1);
    ASSERT_EQ(tight.best.size(), 1U);
    EXPECT_LE(tight.best.front().memory.total(), question.memory);
    std::erase_if(all, [&](const Layout& layout) {
      return time(layout) >= tight.best.front().time.total() * (1 - 1e-8);
    });
    for (size_t i = 0; i < std::min<size_t>(all.size(), 40); ++i) {
      EXPECT_GT(measured(question, all[i]).memory.total(), question.memory) << described(all[i]);
    }
    EXPECT_TRUE(tight.too_large || tight.best.front().time.total() <= fastest * (1 + 1e-8));
  }
}

TEST(Planner, SaysWhatWouldFit) {
  std::mt19937_64 random(1);
  const Draw draw = open_draw(random, 2);
  const Cluster cluster = cluster_named("dgx_h100");
  Question question{cluster, draw.options, draw.shape, 2, int64_t{1} << 40};
  const int64_t enough = plan_layouts(question, 1).best.front().memory.total();
  question.memory = 1000;
  const Plan none = plan_layouts(question, 1);
  ASSERT_TRUE(none.best.empty() && none.leanest);
  EXPECT_LE(none.leanest->memory.total(), enough);
  EXPECT_NE(why_too_large(*none.leanest, question.memory).find("too much"), std::string::npos);

  question.memory = none.leanest->memory.total() - 1;
  const std::vector<Remedy> remedies = remedies_for(question);
  ASSERT_FALSE(remedies.empty());
  for (const Remedy& remedy : remedies) {
    EXPECT_LE(remedy.best.memory.total(), question.memory) << remedy.change;
  }
  EXPECT_TRUE(remedies.front().change.starts_with("start ")) << remedies.front().change;
}

TEST(Planner, NamesTheNearestRanksThatWork) {
  std::mt19937_64 random(1);
  Draw draw = open_draw(random, 4);
  const Cluster cluster = cluster_named("dgx_h100");
  draw.options.parallel.context = 1, draw.options.parallel.data = 2;
  draw.options.parallel.pipeline = draw.options.parallel.tensor = 1;
  draw.options.parallel.ulysses = 0;  // up to the heads
  Question question{cluster, draw.options, draw.shape, 5, int64_t{1} << 40};
  EXPECT_EQ(plan_layouts(question, 1).frames, 0);
  const NearestRanks nearest = nearest_ranks(question);
  EXPECT_EQ(nearest.below, 4);
  EXPECT_EQ(nearest.above, 6);
  question.ranks = 2000;
  EXPECT_THROW(plan_layouts(question, 1), std::invalid_argument);
  question.ranks = 0;
  EXPECT_THROW(plan_layouts(question, 1), std::invalid_argument);
}

TEST(Planner, PartsAddUpAndAreCompared) {
  std::mt19937_64 random(1);
  const Draw draw = open_draw(random, 4);
  const Cluster cluster = cluster_named("dgx_h100");
  const Question question{cluster, draw.options, draw.shape, 4, int64_t{1} << 40};
  const Plan plan = plan_layouts(question, 4);
  for (const Candidate& candidate : plan.best) {
    double sum = 0;
    for (const ReasonPart& part : parts_of(candidate.time)) sum += part.seconds;
    EXPECT_NEAR(sum, candidate.time.total(), 1e-12);
    const Efficiency used = efficiency_of(question, candidate.time);
    EXPECT_GT(used.peak, 0);
    EXPECT_LE(used.peak, used.sustained);
    EXPECT_LE(used.sustained, 1);
    EXPECT_FALSE(what_limits(candidate).empty());
  }
  Candidate slower = plan.best.front();
  slower.time.attention += slower.time.total();
  EXPECT_NE(compared(plan.best.front(), slower).find("attention"), std::string::npos);
}

}  // namespace
}  // namespace graticule

// Tests data with missing values over ranks. Roll-outs read the mean there and write no forecast. Scores
// count only known values. Steps without any value are skipped.

#include <ATen/ops/allclose.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/zeros.h>

#include "graticule/train/rollout.h"

#include <gtest/gtest.h>

#include <cmath>
#include <mutex>

#include "graticule/core/error.h"
#include "graticule/train/build.h"
#include "graticule/train/evaluate.h"
#include "graticule/train/step.h"
#include "tests/ranks.h"
#include "tests/train/holed_run.h"
#include "tests/train/scratch_folder.h"

namespace graticule {
namespace {

constexpr float nan = std::numeric_limits<float>::quiet_NaN();

// Forecasts of the targets after each step, whole fields: [steps, targets, Y, X].
at::Tensor roll_out(int ranks, const ScratchFolder& folder, const Setting& setting,
                    const HoledSource::Missing& missing, int64_t time_index, int64_t steps) {
  std::mutex mutex;
  at::Tensor told_NVYX = at::empty({steps, 3, 6, 12}), patches_NVSP;
  run_ranks(ranks, [&](const World& world) {
    auto run = build_run(world, folder, setting, missing);
    const TokenGrid& grid = run.shape.grid;
    const std::vector<VariableScale> scales = variable_scales(run, 6);
    State state = state_at(run, scales, states_before(run, time_index, 6));
    EXPECT_FALSE(state.values_TKI.isnan().any().item<bool>());
    for (int64_t step = 0; step < steps; ++step) {
      advance(run, world, scales, state, 6);
      for (const auto& [v, none_tP] : state.none_tP) {
        const at::Tensor read_tP =
            of_variable(state.values_TKI, grid, run.tokens, v).narrow(1, 0, grid.pixels());
        EXPECT_EQ(read_tP.masked_select(none_tP).abs().sum().item<float>(), 0);
      }
      for (int64_t v = 0; v < 3; ++v) {
        const Span mine = grid.tokens_of(run.tokens, v);
        if (mine.empty()) continue;
        const int64_t first = mine.begin - (grid.mode == TokenMode::full ? v * grid.places() : 0);
        const std::lock_guard lock(mutex);
        if (!patches_NVSP.defined()) patches_NVSP = at::zeros({steps, 3, grid.places(), grid.pixels()});
        patches_NVSP[step][v].narrow(0, first, mine.size()).copy_(forecast_of(run, scales, state, v));
      }
      read_forcings(run, scales, state);
    }
  });
  const TokenGrid grid{TokenMode::channels, 4, 6, 12, setting.patch};
  for (int64_t i = 0; i < steps * 3; ++i)
    told_NVYX[i / 3][i % 3] = from_patches(patches_NVSP[i / 3][i % 3], grid);
  return told_NVYX;
}

TEST(Rollout, IsThatOfOneRankAndHasNoForecastWhereNoValueWas) {
  // 5 divides neither 6 rows nor 12 columns. Of full tokens a rank may hold none of a variable.
  const std::vector<std::pair<int, Setting>> cases = {
      {2, {"full", "difference", "ulysses = 2\n", 2}},
      {3, {"full", "state", "context = 3\n", 5, 3}},
      {4, {"aggregated", "difference", "tensor = 2\npipeline = 2\n", 5, 2}},
      {4, {"channels", "state", "data = 2\ncontext = 2\n", 2, 4}},
  };
  for (const auto& [ranks, setting] : cases) {
    SCOPED_TRACE(testing::Message() << setting.tokens << ", " << setting.predict << ", " << setting.layout);
    const ScratchFolder folder;
    Setting alone = setting;
    alone.layout.clear();
    const at::Tensor one = roll_out(1, folder, alone, on_land, 4, 3);
    const at::Tensor many = roll_out(ranks, folder, setting, on_land, 4, 3);
    at::Tensor none = at::zeros({3, 6, 12}, at::kBool);
    none[0].slice(0, 2).slice(1, 8).fill_(true);
    none[1][0][3] = true;
    EXPECT_TRUE(at::equal(one.isnan(), none.expand_as(one)));
    EXPECT_TRUE(at::equal(many.isnan(), one.isnan()));
    EXPECT_TRUE(at::allclose(many.nan_to_num(0), one.nan_to_num(0), 1e-5, 1e-2));
  }
}

TEST(Rollout, KeepsNoMaskWhereNothingIsMissing) {
  const ScratchFolder folder;
  run_ranks(1, [&](const World& world) {
    auto run = build_run(world, folder, {}, nowhere);
    EXPECT_TRUE(state_at(run, variable_scales(run, 6), {4}).none_tP.empty());
    auto land = build_run(world, folder, {}, on_land);
    EXPECT_EQ(state_at(land, variable_scales(land, 6), {4}).none_tP.size(), 2U);
    EXPECT_EQ(state_at(land, variable_scales(land, 6), {5}).none_tP.size(), 1U);
  });
}

TEST(Rollout, AForecastThatIsNotFiniteFailsOnEveryRank) {
  const ScratchFolder folder;
  run_ranks(2, [&](const World& world) {
    auto run = build_run(world, folder, {}, on_land);
    for (auto* part : run.chain.parts()) {
      part->state().master.fill_(nan);
    }
    run.chain.refresh();
    const std::vector<VariableScale> scales = variable_scales(run, 6);
    State state = state_at(run, scales, {4});
    const std::string message =
        message_of<std::runtime_error>([&] { advance(run, world, scales, state, 6); });
    const std::string words = text("[forecast] the model's ", run.options.data.variables[0],
                                   " 6 h after 2001-01-02T00:00:00 is not finite");
    EXPECT_NE(message.find(words), std::string::npos) << message;
  });
}

EvaluationOptions from_to(const char* first, const char* last, Convention convention) {
  EvaluationOptions options;
  options.range = parse_time_range(first, last);
  options.convention = convention;
  options.steps = 2;
  return options;
}

// Variable 0 has no value in the scored times. Variable 1 has none in the times of the climatology (except at
// one place, which statistics need). Variable 2 has none at the initial times.
TEST(Evaluation, SaysWhichScoresAreNotDefinedAndWhy) {
  const ScratchFolder folder;
  const auto missing = [](int64_t variable, int64_t time_index, int64_t y, int64_t x) {
    const bool trained = time_index < 32;
    if (variable == 1) return trained && (y > 0 || x > 0);
    return variable == 0 ? !trained : variable == 2 && time_index == 36;
  };
  for (const int ranks : {1, 2}) {
    run_ranks(ranks, [&](const World& world) {
      auto run = build_run(world, folder, {}, missing);
      const Evaluation evaluation =
          evaluate(run, world, from_to("2001-01-10", "2001-01-10T12", Convention::wb2));
      const auto& names = run.options.data.targets;
      ASSERT_EQ(evaluation.initial_times.size(), 1U);
      std::vector<std::string> expected;
      for (size_t target : {0, 2}) {
        for (const char* hours : {"6", "12"}) {
          expected.push_back(names[target] + " at " + hours + " h has no score of model, persistence" +
                             (target == 0 ? ", climatology: the data have no value at its valid times"
                                          : ": it has no value at the initial times"));
        }
      }
      EXPECT_EQ(evaluation.gaps, expected);
      for (const ScoreLine& line : evaluation.lines) {
        const bool scored =
            line.variable == names[1] || (line.variable == names[2] && line.forecast == "climatology");
        EXPECT_EQ(std::isnan(line.score.rmse), !scored) << line.variable << " " << line.forecast;
      }
    });
  }
}

// The short evaluation during training, without persistence and climatology.
TEST(Evaluation, WithoutBaselinesFollowsTheSameRule) {
  const ScratchFolder folder;
  run_ranks(2, [&](const World& world) {
    auto run = build_run(world, folder, {}, on_land);
    EvaluationOptions options = from_to("2001-01-02", "2001-01-02T12", Convention::wb2);
    const Evaluation all = evaluate(run, world, options);
    options.baselines = false;
    const Evaluation glance = evaluate(run, world, options);
    EXPECT_TRUE(glance.gaps.empty() && all.gaps.empty());
    ASSERT_EQ(3 * glance.lines.size(), all.lines.size());
    for (size_t i = 0; i < glance.lines.size(); ++i) {
      EXPECT_EQ(glance.lines[i].score.rmse, all.lines[3 * i].score.rmse);
      EXPECT_FALSE(std::isnan(all.lines[3 * i].score.acc));
    }
  });
}

// Batches in which no target has a value on any rank are skipped: the steps equal those without these
// batches.
TEST(Step, PassesOverABatchThatCountsNothing) {
  const ScratchFolder folder;
  const auto between_pairs = [](int64_t variable, int64_t time_index, int64_t, int64_t) {
    return variable < 3 && time_index % 4 != 0 && time_index % 4 != 1;
  };
  std::vector<double> losses;
  for (const int ranks : {1, 2}) {
    run_ranks(ranks, [&](const World& world) {
      auto run = build_run(world, folder, {}, between_pairs, true);
      for (int i = 0; i < 3; ++i) {
        const StepResult result = train_step(run, false);
        EXPECT_TRUE(std::isfinite(result.loss) && std::isfinite(result.gradient_norm));
        EXPECT_GT(result.loss, 0);
        if (world.rank == 0) losses.push_back(result.loss);
      }
      EXPECT_EQ(run.step, 3);
      EXPECT_GT(run.loader->position(), 3 * run.options.data.batch);
    });
  }
  for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(losses[i], losses[i + 3], 1e-5 * losses[i]);
}

// Only every second time has values, so no two times with values are one lead apart.
TEST(Step, FailsWhereNoSampleCounts) {
  const ScratchFolder folder;
  const auto at_odd_times = [](int64_t variable, int64_t time_index, int64_t, int64_t) {
    return variable < 3 && time_index % 2 == 1;
  };
  run_ranks(2, [&](const World& world) {
    auto run = build_run(world, folder, {}, at_odd_times, true);
    const std::string message = message_of<std::runtime_error>([&] { train_step(run, false); });
    EXPECT_NE(message.find("samples in a row no target has a value"), std::string::npos) << message;
  });
}

}  // namespace
}  // namespace graticule

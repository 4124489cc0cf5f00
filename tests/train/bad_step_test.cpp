// Tests steps whose loss is not finite: nothing is updated, and the sample, variable and time are told.

#include "graticule/train/bad_step.h"

#include <gtest/gtest.h>

#include <mutex>
#include <set>

#include "graticule/train/recover.h"
#include "graticule/train/spikes.h"
#include "tests/ranks.h"
#include "tests/train/holed_run.h"

namespace graticule {
namespace {

constexpr int64_t spoiled_variable = 1, spoiled_time = 7;

/// An invented atmosphere in which one field has one value of `value`.
class SpoiledSource : public Source {
 public:
  SpoiledSource(const std::string& path, float value) : whole_(open_source(path)), value_(value) {}
  const Catalog& catalog() const override { return whole_->catalog(); }
  void read(const std::string& variable, int64_t time_index, Span rows, std::span<float> out) override {
    whole_->read(variable, time_index, rows, out);
    const bool here = time_index == spoiled_time && rows.begin <= 2 && rows.end > 2 &&
                      static_cast<int64_t>(catalog().index_of(variable)) == spoiled_variable;
    if (here) out[static_cast<size_t>((2 - rows.begin) * 12 + 5)] = value_;
  }

 private:
  std::shared_ptr<Source> whole_;
  float value_;
};

// A run whose statistics are of sound data, while its loader reads a spoiled value.
Run spoiled_run(const World& world, const ScratchFolder& folder, const std::string& layout, float value,
                const std::string& train = "") {
  Setting setting;
  setting.layout = layout, setting.train = train;
  auto run = build_run(world, folder, setting, nowhere, true);
  LoaderOptions options = loader_options(run.options, run.shape, run.mesh, run.tokens);
  options.range = parse_time_range("2001-01-01", "2001-01-08");
  run.loader.emplace(std::make_shared<SpoiledSource>(run.options.data.path, value), run.statistics, options);
  return run;
}

std::vector<at::Tensor> weights_of(Run& run) {
  std::vector<at::Tensor> all;
  for (auto* part : run.chain.parts()) all.push_back(part->state().master.clone());
  return all;
}

TEST(BadStep, UpdatesNothingAndNamesSampleVariableAndTime) {
  const std::pair<int, std::string> layouts[] = {{1, ""},
                                                 {2, "context = 2\nshard = \"full\"\n"},
                                                 {2, "tensor = 2\n"},
                                                 {4, "pipeline = 2\ndata = 2\nmicro_batches = 1\n"}};
  for (const auto& [ranks, layout] : layouts) {
    std::mutex mutex;
    std::set<std::string> told;
    const ScratchFolder folder;
    run_ranks(ranks, [&](const World& world) {
      auto run = spoiled_run(world, folder, layout, 3e30F);
      const std::string time = format_time(run.source->catalog().times[spoiled_time]);
      int bad = 0;
      for (int64_t step = 0; step < run.loader->samples_an_epoch() / 2; ++step) {
        const auto before = weights_of(run);
        const int64_t made = run.step;
        const StepResult result = train_step(run, false);
        const auto after = weights_of(run);
        if (result.bad.empty()) {
          EXPECT_EQ(run.step, made + 1);
          continue;
        }
        ++bad;
        EXPECT_EQ(run.step, made);
        for (size_t i = 0; i < after.size(); ++i) EXPECT_TRUE(after[i].equal(before[i])) << layout;
        EXPECT_NE(result.bad.find(run.options.data.variables[spoiled_variable] + ", "), std::string::npos)
            << result.bad;
        EXPECT_NE(result.bad.find(" " + time), std::string::npos) << result.bad;
        EXPECT_NE(result.bad.find("deviations large"), std::string::npos) << result.bad;
        const std::lock_guard lock(mutex);
        told.insert(result.bad);
      }
      EXPECT_GE(bad, 1) << layout;
      EXPECT_LE(bad, 2) << layout;
    });
    EXPECT_LE(told.size(), 2U) << "all ranks tell the same";
  }
}

// Without an unusual value in the data it is the weights that are at fault.
TEST(BadStep, BlamesTheWeightsWhenTheDataAreSound) {
  const ScratchFolder folder;
  run_ranks(2, [&](const World& world) {
    auto run = spoiled_run(world, folder, "context = 2\n", 0.0F);
    for (auto* part : run.chain.parts()) part->state().master.mul_(1e30);
    run.chain.refresh();
    const StepResult result = train_step(run, false);
    EXPECT_NE(result.bad.find("2 of 2 samples have no finite loss"), std::string::npos) << result.bad;
    EXPECT_NE(result.bad.find("the weights are at fault"), std::string::npos) << result.bad;
  });
}

TEST(BadStep, TheRuleSkipsTenTimesInARowAtMost) {
  const ScratchFolder folder;
  run_ranks(2, [&](const World& world) {
    auto run = spoiled_run(world, folder, "context = 2\n", 0.0F, "on_bad = \"skip\"\n");
    StepResult result;
    result.bad = "invented";
    Recovered recovered;
    std::optional<RunLog> log;
    for (int i = 0; i < 9; ++i) recover(run, world, result, recovered, log);
    EXPECT_THROW(recover(run, world, result, recovered, log), std::runtime_error);
  });
}

TEST(Spikes, AreLossesFarAboveTheUsual) {
  Spikes spikes;
  for (int i = 0; i < 40; ++i) EXPECT_FALSE(spikes.note(1.0 + 0.01 * (i % 5)));
  EXPECT_FALSE(spikes.note(1.3));  // less than half above
  EXPECT_NEAR(spikes.note(3.0).value(), 1.02, 0.02);
  EXPECT_FALSE(spikes.note(1.0));
  // A level that lasts is no spike any more.
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(spikes.note(3.0));
  for (int i = 0; i < 40; ++i) EXPECT_FALSE(spikes.note(3.0 + 0.01 * (i % 5)));
  EXPECT_TRUE(spikes.note(9.0));
  // A falling loss, as at the start of a training, has none.
  Spikes falling;
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(falling.note(2.0 * std::exp(-0.03 * i)));
}

}  // namespace
}  // namespace graticule

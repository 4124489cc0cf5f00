// Tests the search for silent corruption: equal ranks pass in every layout; a rank that computes wrongly, and a copy of
// weights that has changed, are named.

#include "graticule/train/verify_block.h"

#include <gtest/gtest.h>

#include "tests/ranks.h"
#include "tests/train/holed_run.h"

namespace graticule {
namespace {

Run run_of(const World& world, const ScratchFolder& folder, const std::string& layout,
           const std::string& train = "") {
  Setting setting;
  setting.layout = layout, setting.train = train;
  return build_run(world, folder, setting, nowhere);
}

// The message of verify_block; "" when it finds nothing.
std::string verdict_of(Run& run, const World& world, const BlockProbe& probe, int64_t turn = 0) {
  try {
    verify_block(run, world, turn, probe);
    return "";
  } catch (const std::runtime_error& error) {
    return error.what();
  }
}

TEST(VerifyBlock, EqualRanksPassInEveryLayout) {
  const std::pair<int, std::string> layouts[] = {{1, ""},
                                                 {3, "context = 3\nshard = \"full\"\n"},
                                                 {2, "tensor = 2\n"},
                                                 {4, "tensor = 2\ncontext = 2\nshard = \"full\"\n"},
                                                 {4, "pipeline = 2\ndata = 2\n"}};
  for (const auto& [ranks, layout] : layouts) {
    for (const std::string precision : {"fp32", "bf16"}) {
      const ScratchFolder folder;
      run_ranks(ranks, [&](const World& world) {
        auto run = run_of(world, folder, layout, "precision = \"" + precision + "\"\n");
        for (int64_t turn = 0; turn < 2; ++turn)
          EXPECT_EQ(verdict_of(run, world, probe_of(run), turn), "") << layout;
      });
    }
  }
}

TEST(VerifyBlock, NamesTheRankThatComputesWrongly) {
  const ScratchFolder folder;
  run_ranks(4, [&](const World& world) {
    auto run = run_of(world, folder, "context = 4\n");
    const BlockProbe sound = probe_of(run);
    const BlockProbe faulty = [&](const at::Tensor& weights) {
      at::Tensor result = sound(weights);
      if (world.rank == 2) result.select(0, 11).add_(0.5);
      return result;
    };
    const std::string verdict = verdict_of(run, world, faulty);
    EXPECT_NE(verdict.find("rank 2 on "), std::string::npos) << verdict;
    EXPECT_NE(verdict.find("and both its neighbours"), std::string::npos) << verdict;
    EXPECT_EQ(verdict.find("rank 1 on"), std::string::npos) << verdict;
  });
}

TEST(VerifyBlock, NamesTheRanksWhoseCopiesOfWeightsDiffer) {
  const ScratchFolder folder;
  run_ranks(2, [&](const World& world) {
    auto run = run_of(world, folder, "data = 2\n");
    if (world.rank == 1) {
      for (auto* part : run.chain.parts()) part->state().master.select(0, 3).add_(1e-6);
      run.chain.refresh();
    }
    const std::string verdict = verdict_of(run, world, probe_of(run));
    EXPECT_NE(verdict.find("the copies of the weights of blocks.0 differ between rank 0 on "),
              std::string::npos)
        << verdict;
  });
}

}  // namespace
}  // namespace graticule

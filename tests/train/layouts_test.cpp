// The whole program on any layout equals one rank: loss of every step, gradient norm and weights after some updates.

#include <gtest/gtest.h>

#include <random>

#include "graticule/core/error.h"
#include "graticule/train/build.h"
#include "graticule/train/step.h"
#include "tests/ranks.h"
#include "tests/train/scratch_folder.h"

namespace graticule {
namespace {

struct Layout {
  int data, context, ulysses;
  std::string shard, activations;
  int micro_batches;
};

std::ostream& operator<<(std::ostream& out, const Layout& l) {
  return out << "data " << l.data << " x context " << l.context << " x ulysses " << l.ulysses << ", shard " << l.shard << ", "
             << l.activations << ", " << l.micro_batches << " micro-batches";
}

std::string recipe(const std::string& folder, const std::string& tokens, const std::string& more) {
  return R"(
[data]
path = "synthetic:rows=7,columns=12,variables=5,times=80,step_hours=6"
lead_hours = [12, 24]
train = ["2001-01-01", "2001-01-15"]
batch = 4
[model]
patch = 2
dim = 28
depth = 3
heads = 7
qk_norm = true
drop_path = 0.3
tokens = ")" + tokens + R"("
[train]
steps = 3
warmup = 1
lr = 1e-2
threads = 1
seed = 11
[run]
out = ")" + folder + "\"\n" + more;
}

struct Outcome {
  std::vector<double> losses, norms;
  std::vector<at::Tensor> masters;
};

Outcome run_steps(const World& world, const std::string& text) {
  Run run = build(define_problem(parse_recipe(text, "test")), world, true);
  Outcome outcome;
  for (int64_t i = 0; i < run.options.train.steps; ++i) {
    const StepResult result = train_step(run, false);
    outcome.losses.push_back(result.loss);
    outcome.norms.push_back(result.gradient_norm);
  }
  for (auto& block : run.chain.blocks()) {
    const at::Tensor& mine = block.state().master;
    outcome.masters.push_back(run.options.parallel.shard == Shard::none
                                  ? mine
                                  : run.mesh.replicas.all_gather(mine, span_sizes(block.numel(), run.mesh.replicas.size())).wait());
  }
  return outcome;
}

void expect_equal_to_one_rank(const Layout& layout, const std::string& tokens) {
  SCOPED_TRACE(::testing::Message() << layout << ", tokens " << tokens);
  const ScratchFolder folder;
  const std::string alone = recipe(folder.path(), tokens, "");
  const std::string spread = recipe(folder.path(), tokens,
                                    text("[parallel]\ndata = ", layout.data, "\ncontext = ", layout.context, "\nulysses = ", layout.ulysses,
                                         "\nshard = \"", layout.shard, "\"\nmicro_batches = ", layout.micro_batches, "\n"));
  const std::string policy = "activations = \"" + layout.activations + "\"\n[run]";
  std::string with_policy = spread;
  with_policy.replace(with_policy.find("[run]"), 5, policy);
  Outcome expected;
  run_ranks(1, [&](const World& world) { expected = run_steps(world, alone); });
  run_ranks(layout.data * layout.context * layout.ulysses, [&](const World& world) {
    const Outcome outcome = run_steps(world, with_policy);
    EXPECT_NEAR(outcome.losses[0], expected.losses[0], 1e-5 * expected.losses[0]);
    EXPECT_NEAR(outcome.norms[0], expected.norms[0], 1e-5 * expected.norms[0]);
    // Later steps inherit AdamW's amplification of rounding in gradients near zero.
    for (size_t i = 1; i < expected.losses.size(); ++i) {
      EXPECT_NEAR(outcome.losses[i], expected.losses[i], 1e-3 * expected.losses[i]) << "step " << i;
    }
    for (size_t i = 0; i < expected.masters.size(); ++i) {
      const double difference = (outcome.masters[i] - expected.masters[i]).abs().mean().item<double>();
      EXPECT_LT(difference, 1e-4) << "block " << i;
    }
  });
}

TEST(Layouts, EqualOneRank) {
  expect_equal_to_one_rank({1, 1, 2, "none", "keep", 1}, "full");
  expect_equal_to_one_rank({1, 2, 1, "full", "recompute", 2}, "full");
  expect_equal_to_one_rank({2, 2, 2, "gradients", "keep", 2}, "full");
  expect_equal_to_one_rank({2, 1, 3, "optimizer", "keep", 1}, "aggregated");
  expect_equal_to_one_rank({1, 3, 2, "full", "keep", 1}, "channels");
}

TEST(Layouts, EqualOneRankWhenDrawnAtRandom) {
  const auto seed = std::random_device{}();
  std::cout << "seed " << seed << "\n";
  std::mt19937_64 random(seed);
  const auto pick = [&](const auto& choices) { return choices[random() % std::size(choices)]; };
  const char* const shards[] = {"none", "optimizer", "gradients", "full"};
  const char* const policies[] = {"keep", "recompute"};
  const char* const modes[] = {"full", "aggregated", "channels"};
  const int degrees[] = {1, 2, 3};
  for (int i = 0; i < 4; ++i) {
    const Layout layout{pick(degrees) > 1 ? 2 : 1, pick(degrees), pick(degrees) > 1 ? 2 : 1, pick(shards), pick(policies),
                        pick(degrees) > 1 ? 2 : 1};
    expect_equal_to_one_rank(layout, pick(modes));
  }
}

}  // namespace
}  // namespace graticule

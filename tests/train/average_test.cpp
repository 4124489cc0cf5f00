// Tests the average of the weights: its formula, the same on every layout, exact through a checkpoint.

#include "graticule/train/average.h"

#include <ATen/ops/allclose.h>
#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include "graticule/core/error.h"
#include "graticule/train/build.h"
#include "graticule/train/checkpoint.h"
#include "graticule/train/history.h"
#include "graticule/train/step.h"
#include "tests/ranks.h"
#include "tests/train/scratch_folder.h"
#include "tests/train/whole_model.h"

namespace graticule {
namespace {

constexpr double ema = 0.6;  // the decay of update 13 and later

std::string recipe(const std::string& folder, const std::string& layout, const std::string& train = "") {
  return text(
      "[data]\npath = \"synthetic:rows=6,columns=8,variables=4,times=60\"\ntrain = [\"2001-01-01\", "
      "\"2001-01-14\"]\nbatch = 2\n[model]\ndim = 40\ndepth = 2\nheads = 5\ndrop_path = 0.2\n[parallel]\n",
      layout, "[train]\nsteps = 20\nwarmup = 2\nthreads = 1\n",
      train.empty() ? text("ema = ", ema, "\n") : train, "[run]\nout = \"", folder, "\"\n");
}

struct Layout {
  int ranks;
  std::string keys;
};
const Layout layouts[] = {{1, ""},
                          {2, "shard = \"full\"\n"},
                          {3, "tensor = 3\nshard = \"optimizer\"\n"},
                          {4, "pipeline = 2\ndata = 2\nshard = \"gradients\"\nshard_ranks = 1\n"}};

Run built(const std::string& text, const World& world) {
  return assemble(define_problem(parse_recipe(text, "test")), world, true);
}

void resume(Run& run, const std::string& folder) {
  const CheckpointInfo info = read_checkpoint_info(*newest_checkpoint(folder));
  load_checkpoint(info, run.chain, Taken::state);
  run.step = info.step;
  run.loader->seek(info.position);
}

void take_steps(Run& run, int steps) {
  for (int i = 0; i < steps; ++i) train_step(run, false);
}

// The whole model's weights or averages.
using Member = at::Tensor OwnedState::*;
void collect(Run& run, Member member, WholeModel& whole) {
  whole.add(run.chain, run.options.parallel.shard, [&](auto& part) { return part.state().*member; });
}

bool same_bits(const WholeModel& a, const WholeModel& b) {
  for (const auto& [name, value] : a.values()) {
    if (!at::equal(value, b.values().at(name))) return false;
  }
  return a.values().size() == b.values().size();
}

// After t updates: a = d a + (1 - d) w. The decay grows, so the initial weights are soon forgotten.
TEST(Average, FollowsItsFormulaFromTheFirstStepOn) {
  EXPECT_DOUBLE_EQ(average_decay(ema, 1), 2.0 / 11);
  EXPECT_DOUBLE_EQ(average_decay(ema, 13), ema);
  EXPECT_DOUBLE_EQ(average_decay(0.999, 8990), 8991.0 / 9000);
  for (const auto& [ranks, keys] : layouts) {
    const ScratchFolder folder;
    std::vector<WholeModel> weights(15), averages(15);
    run_ranks(ranks, [&](const World& world) {
      auto run = built(recipe(folder.path(), keys), world);
      for (size_t t = 0; t <= 14; ++t) {
        if (t > 0) take_steps(run, 1);
        collect(run, &OwnedState::master, weights[t]);
        collect(run, &OwnedState::average, averages[t]);
      }
    });
    EXPECT_TRUE(same_bits(averages[0], weights[0]));
    for (const auto& [name, initial] : weights[0].values()) {
      at::Tensor expected = initial.to(at::kDouble);
      for (size_t t = 1; t <= 14; ++t) {
        const double d = std::min(ema, (1.0 + static_cast<double>(t)) / (10.0 + static_cast<double>(t)));
        expected = d * expected + (1 - d) * weights[t].values().at(name).to(at::kDouble);
        EXPECT_TRUE(at::allclose(averages[t].values().at(name).to(at::kDouble), expected, 1e-5, 1e-7))
            << name << " after " << t << " updates, " << keys;
      }
    }
  }
}

TEST(Average, IsTheSameOnEveryLayout) {
  std::vector<std::unique_ptr<WholeModel>> averages;
  for (const auto& [ranks, keys] : layouts) {
    const ScratchFolder folder;
    averages.push_back(std::make_unique<WholeModel>());
    run_ranks(ranks, [&](const World& world) {
      auto run = built(recipe(folder.path(), keys), world);
      take_steps(run, 4);
      collect(run, &OwnedState::average, *averages.back());
    });
    for (const auto& [name, expected] : averages.front()->values())
      EXPECT_TRUE(at::allclose(averages.back()->values().at(name), expected, 1e-3, 2e-4)) << name << keys;
  }
}

// A resumed run has the bits of the uninterrupted one, in memory and in a mapped file. Another layout reads
// the same bits.
TEST(Average, IsExactThroughACheckpoint) {
  const ScratchFolder mapped;
  for (const std::string& more : {std::string(), "state_in = \"" + mapped.path() + "\"\n"}) {
    const std::string train = text("ema = ", ema, "\n", more);
    for (const auto& [ranks, keys] : layouts) {
      const ScratchFolder folder;
      WholeModel saved, rest, rest_again;
      run_ranks(ranks, [&](const World& world) {
        auto run = built(recipe(folder.path(), keys, train), world);
        take_steps(run, 3);
        save_checkpoint(run, world);
        collect(run, &OwnedState::average, saved);
        take_steps(run, 3);
        collect(run, &OwnedState::average, rest);
      });
      run_ranks(ranks, [&](const World& world) {
        auto run = built(recipe(folder.path(), keys, train), world);
        resume(run, folder.path());
        take_steps(run, 3);
        collect(run, &OwnedState::average, rest_again);
      });
      EXPECT_TRUE(same_bits(rest_again, rest)) << keys << more;
      for (const auto& [other_ranks, other_keys] : layouts) {
        WholeModel read, used;
        run_ranks(other_ranks, [&](const World& world) {
          auto run = built(recipe(folder.path(), other_keys, train), world);
          resume(run, folder.path());
          collect(run, &OwnedState::average, read);
          auto user = built(recipe(folder.path(), other_keys, "ema = 0\n"), world);
          load_checkpoint(read_checkpoint_info(*newest_checkpoint(folder.path())), user.chain,
                          Taken::weights);
          collect(user, &OwnedState::master, used);
        });
        EXPECT_TRUE(same_bits(read, saved)) << keys << "read as " << other_keys;
        EXPECT_TRUE(same_bits(used, saved)) << keys << "read as " << other_keys;
      }
    }
  }
}

// A checkpoint of a run without an average starts one: it begins as the weights.
TEST(Average, StartsAsTheWeightsWhenTheCheckpointHasNone) {
  const ScratchFolder folder;
  run_ranks(1, [&](const World& world) {
    auto plain = built(recipe(folder.path(), "", "ema = 0\n"), world);
    take_steps(plain, 2);
    EXPECT_FALSE(plain.chain.parts().front()->state().average.defined());
    save_checkpoint(plain, world);
    auto run = built(recipe(folder.path(), ""), world);
    resume(run, folder.path());
    WholeModel weights, averages;
    collect(run, &OwnedState::master, weights);
    collect(run, &OwnedState::average, averages);
    EXPECT_TRUE(same_bits(averages, weights));
  });
}

// The model computes with the averages between two exchanges, and afterwards trains on as if nothing was
// exchanged.
TEST(Average, IsExchangedForTheWeightsAndBack) {
  for (const auto& [ranks, keys] : layouts) {
    const ScratchFolder folder;
    run_ranks(ranks, [&](const World& world) {
      auto run = built(recipe(folder.path(), keys), world), other = built(recipe(folder.path(), keys), world);
      take_steps(run, 3), take_steps(other, 3);
      const Batch batch = run.loader->next();
      other.loader->next();
      const Inputs inputs{batch.lead_hours_B, batch.times, batch.sample_ids, 0, false, nullptr};
      const at::Tensor raw = run.chain.predict(batch.input_BTKI, inputs).clone();
      exchange_average(run.chain);
      EXPECT_FALSE(at::equal(run.chain.predict(batch.input_BTKI, inputs), raw)) << keys;
      exchange_average(run.chain);
      EXPECT_TRUE(at::equal(run.chain.predict(batch.input_BTKI, inputs), raw)) << keys;
      EXPECT_EQ(train_step(run, false).loss, train_step(other, false).loss) << keys;
    });
  }
}

}  // namespace
}  // namespace graticule

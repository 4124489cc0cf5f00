// Tests checkpoints that are written while training goes on: the same bytes as without, whatever the memory.

#include "graticule/train/checkpoint_writer.h"

#include <gtest/gtest.h>

#include "graticule/core/error.h"
#include "graticule/train/average.h"
#include "graticule/train/build.h"
#include "graticule/train/checkpoint.h"
#include "graticule/train/step.h"
#include "tests/ranks.h"
#include "tests/train/scratch_folder.h"

namespace graticule {
namespace {

std::string recipe(const std::string& folder, const std::string& layout, const std::string& train) {
  return text(
      "[data]\npath = \"synthetic:rows=6,columns=8,variables=4,times=60\"\ntrain = [\"2001-01-01\", "
      "\"2001-01-14\"]\nbatch = 2\n[model]\ndim = 32\ndepth = 2\nheads = 4\n[parallel]\n",
      layout, "[train]\nsteps = 8\nwarmup = 2\nthreads = 1\n", train, "[run]\nout = \"", folder, "\"\n");
}

Run built(const std::string& text, const World& world) {
  return assemble(define_problem(parse_recipe(text, "test")), world, true);
}

// The bytes of all files of a checkpoint, one after the other.
std::string bytes_of(const std::string& checkpoint, int ranks) {
  std::string all = read_bytes(checkpoint + "/manifest.json");
  for (int rank = 0; rank < ranks; ++rank)
    all += read_bytes(text(checkpoint, "/rank-", rank, ".safetensors"));
  return all;
}

TEST(CheckpointWriter, HasTheBytesOfItsStepWhileTrainingGoesOn) {
  for (const auto& [layout, train] : {std::pair<std::string, std::string>{"shard = \"full\"\n", ""},
                                      {"", "ema = 0.9\nmoments = \"bf16\"\n"},
                                      {"tensor = 2\n", ""}}) {
    const ScratchFolder folder;
    const std::string checkpoint = folder / "checkpoints/step-2";
    std::string at_once;
    for (const int64_t memory : {int64_t{-1}, int64_t{0}, int64_t{20000}, int64_t{1} << 30}) {
      std::filesystem::remove_all(folder / "checkpoints");
      run_ranks(2, [&](const World& world) {
        auto run = built(recipe(folder.path(), layout, train), world);
        train_step(run, false), train_step(run, false);
        if (memory < 0) {
          save_checkpoint(run, world);
          return;
        }
        CheckpointWriter writer(world, memory);
        run.before_update = [&] { writer.wait_copied(); };
        writer.begin(run);
        EXPECT_TRUE(writer.under_way());
        for (int i = 0; i < 3; ++i) train_step(run, false);
        while (!writer.all_written(run)) {
        }
        EXPECT_FALSE(std::filesystem::exists(checkpoint));  // valid only after finish()
        writer.finish(run);
        EXPECT_FALSE(writer.under_way());
        EXPECT_EQ(run.parent, checkpoint);
      });
      if (memory < 0) at_once = bytes_of(checkpoint, 2);
      EXPECT_EQ(bytes_of(checkpoint, 2), at_once) << layout << train << memory;
      EXPECT_GT(at_once.size(), 100000U);
    }
  }
}

}  // namespace
}  // namespace graticule

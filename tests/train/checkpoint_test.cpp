// Tests checkpoints: exact for the same layout, readable for any other, damage is reported.

#include "graticule/train/checkpoint.h"

#include <gtest/gtest.h>

#include "graticule/core/error.h"
#include "graticule/train/build.h"
#include "graticule/train/history.h"
#include "graticule/train/step.h"
#include "tests/ranks.h"
#include "tests/train/scratch_folder.h"

namespace graticule {
namespace {

std::string recipe(const std::string& folder, const std::string& shard, const std::string& layout = "",
                   const std::string& train = "", const std::string& form = "") {
  return text(
      "[data]\npath = \"synthetic:rows=6,columns=8,variables=4,times=60\"\ntrain = [\"2001-01-01\", "
      "\"2001-01-14\"]\nbatch = 2\n",
      "[model]\ndim = 32\ndepth = 2\nheads = 4\ndrop_path = 0.2\n", form, "[parallel]\n", layout,
      "shard = \"", shard, "\"\n[train]\nsteps = 8\nwarmup = 2\nthreads = 1\n", train, "[run]\nout = \"",
      folder, "\"\nkeep = 2\n");
}

Run built(const std::string& text, const World& world) {
  return assemble(define_problem(parse_recipe(text, "test")), world, true);
}

void resume(Run& run, const std::string& folder) {
  const CheckpointInfo info = read_checkpoint_info(*newest_checkpoint(folder));
  load_checkpoint(info, run.chain, Taken::state);
  run.step = info.step;
  run.loader->seek(info.position);
}

// The losses of `steps` more steps.
std::vector<double> losses(Run& run, int steps) {
  std::vector<double> all;
  for (int i = 0; i < steps; ++i) all.push_back(train_step(run, false).loss);
  return all;
}

TEST(Checkpoint, ResumesBitForBitOnTheSameLayoutAndCloselyOnAnother) {
  for (const std::string shard : {"none", "full"}) {
    const ScratchFolder folder;
    std::vector<double> never_stopped;
    run_ranks(2, [&](const World& world) {
      auto run = built(recipe(folder.path(), shard), world);
      losses(run, 3);
      save_checkpoint(run, world);
      const auto rest = losses(run, 3);
      if (world.rank == 0) never_stopped = rest;
    });
    run_ranks(2, [&](const World& world) {
      auto run = built(recipe(folder.path(), shard), world);
      resume(run, folder.path());
      EXPECT_EQ(losses(run, 3), never_stopped);
    });
    for (const int ranks : {1, 3}) {
      run_ranks(ranks, [&](const World& world) {
        auto run = built(recipe(folder.path(), "gradients"), world);
        resume(run, folder.path());
        const auto rest = losses(run, 3);
        for (size_t i = 0; i < rest.size(); ++i)
          EXPECT_NEAR(rest[i], never_stopped[i], 1e-3 * never_stopped[i]) << ranks << " ranks";
      });
    }
  }
}

// Every layout reads the weights and moments that any other wrote: cut by tensor, spread over stages, or
// copied.
TEST(Checkpoint, AnyLayoutReadsWhatAnyOtherWrote) {
  const std::string layouts[] = {"", "tensor = 3\n", "tensor = 2\npipeline = 2\n",
                                 "pipeline = 2\ndata = 2\nshard_ranks = 1\n",
                                 "tensor = 4\nulysses = 1\ncontext = 2\n"};
  const int ranks[] = {1, 3, 4, 4, 8};
  for (size_t writer = 0; writer < std::size(layouts); ++writer) {
    const ScratchFolder folder;
    std::vector<double> never_stopped;
    run_ranks(ranks[writer], [&](const World& world) {
      auto run = built(recipe(folder.path(), "full", layouts[writer]), world);
      losses(run, 3);
      save_checkpoint(run, world);
      const auto rest = losses(run, 3);
      if (world.rank == 0) never_stopped = rest;
    });
    for (size_t reader = 0; reader < std::size(layouts); ++reader) {
      run_ranks(ranks[reader], [&](const World& world) {
        auto run = built(recipe(folder.path(), "gradients", layouts[reader]), world);
        resume(run, folder.path());
        const auto rest = losses(run, 3);
        for (size_t i = 0; i < rest.size(); ++i)
          EXPECT_NEAR(rest[i], never_stopped[i], 1e-4 * never_stopped[i])
              << layouts[writer] << " read as " << layouts[reader];
      });
    }
  }
}

// A checkpoint restores moments in bf16, or in a mapped file, bit for bit in the same layout. In another
// layout or dtype it restores them within rounding.
TEST(Checkpoint, ResumesMomentsInEitherDtypeAndStateInAFile) {
  const ScratchFolder scratch;
  const std::string bf16 = "moments = \"bf16\"\n", mapped = "state_in = \"" + scratch.path() + "\"\n";
  for (const std::string& written : {bf16, bf16 + mapped, mapped, std::string()}) {
    const ScratchFolder folder;
    std::vector<double> never_stopped;
    run_ranks(2, [&](const World& world) {
      auto run = built(recipe(folder.path(), "full", "", written), world);
      losses(run, 3);
      save_checkpoint(run, world);
      const auto rest = losses(run, 3);
      if (world.rank == 0) never_stopped = rest;
    });
    const auto rest_of = [&](const World& world, const std::string& layout, const std::string& as) {
      auto run = built(recipe(folder.path(), "full", layout, as), world);
      resume(run, folder.path());
      return losses(run, 3);
    };
    run_ranks(2, [&](const World& world) { EXPECT_EQ(rest_of(world, "", written), never_stopped); });
    for (const std::string& as : {bf16, bf16 + mapped, mapped, std::string()}) {
      for (const std::string layout : {"context = 3\n", "tensor = 3\n"}) {
        run_ranks(3, [&](const World& world) {
          const auto rest = rest_of(world, layout, as);
          for (size_t i = 0; i < rest.size(); ++i)
            EXPECT_NEAR(rest[i], never_stopped[i], 2e-3 * never_stopped[i])
                << written << "resumed with " << layout << as;
        });
      }
    }
  }
  EXPECT_TRUE(std::filesystem::is_empty(scratch.path()));
}

TEST(Checkpoint, KeepsTheLastFewAndNamesDamage) {
  const ScratchFolder folder;
  const World world = lone_world();
  auto run = built(recipe(folder.path(), "none"), world);
  for (int i = 0; i < 3; ++i) {
    losses(run, 1);
    save_checkpoint(run, world);
  }
  EXPECT_FALSE(std::filesystem::exists(folder / "checkpoints/step-1"));
  EXPECT_EQ(*newest_checkpoint(folder.path()), folder / "checkpoints/step-3");

  const std::string file = folder / "checkpoints/step-3/rank-0.safetensors";
  std::string bytes = read_bytes(file);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  write_bytes(file, bytes);
  const CheckpointInfo info = read_checkpoint_info(folder / "checkpoints/step-3");
  const std::string message =
      message_of<std::runtime_error>([&] { load_checkpoint(info, run.chain, Taken::state); });
  EXPECT_NE(message.find(file), std::string::npos) << message;
  EXPECT_NE(message.find("--resume " + (folder / "checkpoints/step-2")), std::string::npos) << message;
  EXPECT_NO_THROW(
      load_checkpoint(read_checkpoint_info(folder / "checkpoints/step-2"), run.chain, Taken::state));
}

// A rank opens only the files that have spans of it: on the same layout one, so damage elsewhere is not its own.
TEST(Checkpoint, ARankReadsOnlyTheFilesThatItNeeds) {
  const ScratchFolder folder;
  run_ranks(3, [&](const World& world) {
    auto run = built(recipe(folder.path(), "full"), world);
    losses(run, 1);
    save_checkpoint(run, world);
  });
  const std::string file = folder / "checkpoints/step-1/rank-2.safetensors";
  write_bytes(file, "damaged");
  run_ranks(3, [&](const World& world) {
    auto run = built(recipe(folder.path(), "full"), world);
    const CheckpointInfo info = read_checkpoint_info(*newest_checkpoint(folder.path()));
    const std::string message =
        message_of<std::runtime_error>([&] { load_checkpoint(info, run.chain, Taken::state); });
    EXPECT_EQ(message.find(file) != std::string::npos, world.rank == 2) << message;
  });
}

// A manifest that names files elsewhere, which a stranger may have made, reads nothing there.
TEST(Checkpoint, NamesOfFilesStayInItsFolder) {
  const ScratchFolder folder;
  const World world = lone_world();
  auto run = built(recipe(folder.path(), "none"), world);
  save_checkpoint(run, world);
  const std::string path = *newest_checkpoint(folder.path()) + "/manifest.json";
  const std::string sound = read_bytes(path), name = "rank-0.safetensors";
  for (const std::string other : {"../step-0/rank-0.safetensors", "/etc/passwd", "..", "a/b"}) {
    std::string forged = sound;
    for (size_t found = 0; (found = forged.find(name, found)) != std::string::npos; found += other.size())
      forged.replace(found, name.size(), other);
    write_bytes(path, forged);
    const std::string message = message_of<std::runtime_error>([&] {
      load_checkpoint(read_checkpoint_info(*newest_checkpoint(folder.path())), run.chain, Taken::state);
    });
    EXPECT_NE(message.find("'" + other + "', which is not in its folder"), std::string::npos) << message;
  }
}

// The form of queries and keys before it could be chosen.
const std::string plain_form =
    "qk_norm = \"none\"\nplace = \"added\"\nqk_variables = false\nlead_std = 0.02\n";

// Recipes of that time have none of these keys, and a qk_norm that is true or false.
TEST(Checkpoint, OfAnEarlierVersionIsTheSameModel) {
  const ScratchFolder folder;
  const World world = lone_world();
  auto run = built(recipe(folder.path(), "none", "", "", plain_form), world);
  losses(run, 2);
  save_checkpoint(run, world);
  const std::string path = *newest_checkpoint(folder.path()) + "/manifest.json";
  std::string manifest = read_bytes(path);
  for (const auto& [now, before] :
       {std::pair<std::string, std::string>{"qk_norm = 'none'", "qk_norm = false"},
        {"place = 'added'\\n", ""},
        {"qk_variables = false\\n", ""},
        {"lead_std = 0.02\\n", ""}}) {
    const size_t found = manifest.find(now);
    ASSERT_NE(found, std::string::npos) << now << " in " << manifest;
    manifest.replace(found, now.size(), before);
  }
  write_bytes(path, manifest);
  const CheckpointInfo info = read_checkpoint_info(*newest_checkpoint(folder.path()));
  EXPECT_EQ(to_toml(info.options), to_toml(run.options));
  auto again = assemble(define_problem(info.options), world, true, info.statistics);
  resume(again, folder.path());
  EXPECT_EQ(losses(again, 2), losses(run, 2));
}

TEST(Checkpoint, RefusesAnotherModelAndAFolderThatIsNone) {
  const ScratchFolder folder;
  const World world = lone_world();
  auto run = built(recipe(folder.path(), "none", "", "", plain_form), world);
  save_checkpoint(run, world);
  const CheckpointInfo info = read_checkpoint_info(*newest_checkpoint(folder.path()));
  Options deeper = info.options;
  deeper.model.depth = 3;
  auto other = assemble(define_problem(deeper), world, false, info.statistics);
  const std::string message =
      message_of<std::invalid_argument>([&] { load_checkpoint(info, other.chain, Taken::state); });
  EXPECT_NE(message.find("another model: it has no blocks.2."), std::string::npos) << message;
  EXPECT_NE(message.find("it has no blocks.2.mlp.fc2.bias"), std::string::npos) << message;  // names them all
  // The same if only the checkpoint, or only the recipe, has a parameter.
  Options normed = info.options, plain = info.options;
  normed.model.qk_norm = QkNorm::layer;
  auto with_norms = assemble(define_problem(normed), world, false, info.statistics);
  EXPECT_NE(message_of<std::invalid_argument>([&] {
              load_checkpoint(info, with_norms.chain, Taken::state);
            }).find("it has no blocks.0.attention.q_norm.weight"),
            std::string::npos);
  const ScratchFolder other_folder;
  with_norms.options.run.out = other_folder.path();
  save_checkpoint(with_norms, world);
  const CheckpointInfo of_norms = read_checkpoint_info(*newest_checkpoint(other_folder.path()));
  auto without = assemble(define_problem(plain), world, false, info.statistics);
  EXPECT_NE(message_of<std::invalid_argument>([&] {
              load_checkpoint(of_norms, without.chain, Taken::state);
            }).find("it has blocks.0.attention.k_norm.bias, which the recipe's model does not have"),
            std::string::npos);
  EXPECT_THROW(read_checkpoint_info(folder.path()), std::invalid_argument);
}

}  // namespace
}  // namespace graticule

// Damages the files of a run at random, thousands of times, and reads them: every end is a message of ours. With
// sanitizers (make check-all) no damage reads or writes outside its memory.

#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <functional>
#include <optional>

#include "graticule/core/error.h"
#include "graticule/train/build.h"
#include "graticule/train/checkpoint.h"
#include "graticule/train/history.h"
#include "graticule/train/safetensors.h"
#include "tests/fuzz/mutation.h"
#include "tests/seed.h"
#include "tests/train/scratch_folder.h"

namespace graticule {
namespace {

constexpr int many = 800, few = 60;  // a record is synced to the disk each time it is put in order

// Writes damaged versions of `path` and calls read() on each. Another end than success and a message of ours fails.
void damage(const std::string& path, int draws, const std::function<void()>& read) {
  const std::string sound = read_bytes(path);
  for (int draw = 0; draw < draws; ++draw) {
    Random random(test_seed() * 100'000 + static_cast<uint64_t>(draw));
    write_bytes(path, mutated(sound, sound, random));
    try {
      read();
    } catch (const std::logic_error& error) {
      const bool ours = dynamic_cast<const std::invalid_argument*>(&error) && error.what()[0] == '[';
      EXPECT_TRUE(ours) << "draw " << draw << ": " << error.what();
    } catch (const std::exception& error) {
      EXPECT_EQ(error.what()[0], '[') << "draw " << draw << ": " << error.what();
    }
  }
  write_bytes(path, sound);
}

Run small_run(const std::string& folder) {
  return assemble(
      define_problem(parse_recipe(
          text(
              "[data]\npath = \"synthetic:rows=4,columns=4,variables=2,times=40\"\ntrain = [\"2001-01-01\", "
              "\"2001-01-08\"]\n[model]\ndim = 8\ndepth = 1\nheads = 1\n[train]\nthreads = 1\n[run]\nout = \"",
              folder, "\"\n"),
          "test")),
      lone_world(), true);
}

TEST(DamagedFiles, OfACheckpointEndInAMessage) {
  const ScratchFolder folder;
  auto run = small_run(folder.path());
  save_checkpoint(run, lone_world());
  const std::string checkpoint = *newest_checkpoint(folder.path());
  const auto load = [&] { load_checkpoint(read_checkpoint_info(checkpoint), run.chain, Taken::state); };
  damage(checkpoint + "/manifest.json", many, load);
  damage(checkpoint + "/rank-0.safetensors", many, load);
  EXPECT_NO_THROW(load());
}

TEST(DamagedFiles, OfTheFormatSafetensorsEndInAMessage) {
  const ScratchFolder folder;
  const std::string path = folder / "a.safetensors";
  SafetensorsWriter writer(path, {{"a", at::kFloat, {3, 2}}, {"b", at::kByte, {5}}, {"c", at::kFloat, {0}}},
                           {{"form", "1"}});
  writer.write("a", at::zeros({3, 2}));
  writer.write("b", at::zeros({5}, at::kByte));
  writer.close();
  damage(path, many, [&] {
    const SafetensorsReader reader(path);
    for (const TensorEntry& entry : reader.entries()) reader.read(entry.name);
  });
}

TEST(DamagedFiles, OfTheRecordOfARunDoNotStopIt) {
  const ScratchFolder folder;
  std::string lines;
  for (int step = 1; step < 9; ++step) lines += text(R"({"step":)", step, R"(,"loss":0.5,"lr":1e-3})", "\n");
  write_bytes(folder / "metrics.jsonl", lines);
  damage(folder / "metrics.jsonl", few, [&] {
    EXPECT_NO_THROW(start_record(folder.path(), "", 4));
    std::filesystem::remove(folder / "metrics.leaving.jsonl");
  });
}

TEST(DamagedFiles, OfARecipeEndInAMessage) {
  const ScratchFolder folder;
  write_bytes(folder / "recipe.toml", to_toml(Options()));
  damage(folder / "recipe.toml", many, [&] { read_recipe(folder / "recipe.toml"); });
}

}  // namespace
}  // namespace graticule

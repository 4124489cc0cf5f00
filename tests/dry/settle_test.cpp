// What a recipe leaves open is chosen for a library user as the command line chooses it.

#include "graticule/dry/settle.h"

#include <gtest/gtest.h>

#include "graticule/core/error.h"
#include "graticule/dry/choose_layout.h"
#include "graticule/dry/dry_run.h"
#include "tests/ranks.h"
#include "tests/train/scratch_folder.h"

namespace graticule {
namespace {

std::string recipe(const ScratchFolder& folder, const std::string& rest) {
  return text(
      "[data]\npath = \"synthetic:rows=8,columns=16,variables=4,times=64\"\n",
      "train = [\"2001-01-01\", \"2001-01-10\"]\n[model]\npatch = 2\ndim = 16\ndepth = 2\nheads = 2\n",
      "[run]\nout = \"", folder.path(), "\"\n", rest);
}

TEST(Settle, GivesALibraryUserThePlannersLayout) {
  const ScratchFolder folder;
  const Options written = parse_recipe(recipe(folder, "[train]\nthreads = 1\n"), "test");
  run_ranks(4, [&](const World& world) {
    const Problem problem = define_problem(written);
    const auto chosen = chosen_layout(problem.options, problem.shape, world.size, world.local_size,
                                      memory_limit_of(problem.options, world.local_size));
    ASSERT_TRUE(chosen);
    const graticule::Run run = build(problem, world, true);
    EXPECT_EQ(run.mesh.axes, axes_of(chosen->layout));
    EXPECT_EQ(run.options.train.activations, chosen->layout.activations);
  });
}

TEST(Settle, ChoosesThePolicyThatFits) {
  const ScratchFolder folder;
  Options options = parse_recipe(
      recipe(folder, "[train]\nthreads = 1\nactivations = \"auto\"\n[parallel]\nulysses = 1\n"), "test");
  const Problem problem = define_problem(options);
  Problem kept = problem;
  kept.options.train.activations = Activations::keep;
  const auto whole = static_cast<double>(dry_run(kept.options, problem.shape, {1, 0, 1}).peak.total());
  run_ranks(1, [&](const World& world) {
    EXPECT_THROW(assemble(problem, world, true), std::invalid_argument) << "auto was taken as a policy";
    EXPECT_EQ(build(problem, world, true).options.train.activations, Activations::keep);
    Problem tight = problem;
    tight.options.train.memory_gib = 0.97 * whole / (1 << 30);
    EXPECT_NE(build(tight, world, true).options.train.activations, Activations::keep);
  });
}

}  // namespace
}  // namespace graticule

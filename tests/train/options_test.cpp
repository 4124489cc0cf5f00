// Recipes: what is read, what is refused and in which words.

#include "graticule/train/options.h"

#include <gtest/gtest.h>

namespace graticule {
namespace {

const std::string minimal = "[data]\npath = \"synthetic\"\n";

std::string refusal(const std::string& recipe, const std::vector<std::string>& overrides = {}) {
  try {
    parse_recipe(recipe, "r.toml", overrides);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Recipe, SaysWhatIsWrongAndWhatWouldBeRight) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {minimal + "[trian]\nsteps = 1", "unknown section [trian]: did you mean [train]?"},
      {minimal + "[train]\nstep = 1", "unknown key train.step: did you mean train.steps?"},
      {minimal + "[train]\nsteps = \"ten\"", "train.steps = 'ten' (line 4): it must be a whole number"},
      {minimal + "[train]\nsteps = 0", "train.steps = 0: it must be at least 1"},
      {minimal + "[train]\nprecision = \"fp8\"", "one of \"fp32\", \"bf16\""},
      {minimal + "[train]\nlr = -1.0", "train.lr = -1: it must be positive"},
      {minimal + "[data]\nbatch = 1", "r.toml"},
      {"[data]\nbatch = 1", "data.path is missing"},
      {minimal + "train = [\"2001-01-01\"]", "data.train: give two times, [first, last]"},
      {"[data\npath = 1", "(line 1"},
  };
  for (const auto& [recipe, words] : cases) {
    const std::string message = refusal(recipe);
    EXPECT_NE(message.find(words), std::string::npos) << recipe << "\n-> " << message;
    EXPECT_TRUE(message.starts_with("[r.toml]")) << message;
  }
}

TEST(Recipe, OverridesWinAndTextNeedsNoQuotes) {
  const Options options = parse_recipe(minimal + "[train]\nsteps = 5", "r", {"train.steps=7", "run.out=runs/x", "train.lr=1e-4",
                                                                              "data.variables=[\"a\",\"b@500\"]", "data.lead_hours=6"});
  EXPECT_EQ(options.train.steps, 7);
  EXPECT_EQ(options.run.out, "runs/x");
  EXPECT_EQ(options.train.lr, 1e-4);
  EXPECT_EQ(options.data.variables, (std::vector<std::string>{"a", "b@500"}));
  EXPECT_EQ(options.data.lead_hours, std::vector<int64_t>{6});
  EXPECT_NE(refusal(minimal, {"steps=7"}).find("section.key=value"), std::string::npos);
  EXPECT_NE(refusal(minimal, {"train.stepz=7"}).find("train.steps"), std::string::npos);
}

TEST(Recipe, IsTheSameAfterWritingAndReading) {
  const Options options = parse_recipe(minimal + "[model]\ntokens = \"channels\"\nqk_norm = true\n[train]\nlr = 0.1\n", "r");
  EXPECT_EQ(to_toml(parse_recipe(to_toml(options), "again")), to_toml(options));
}

TEST(Axes, AreDerivedWhereTheRecipeLeavesThemOut) {
  Options options = parse_recipe(minimal, "r");
  EXPECT_EQ(resolve_axes(options, 6, 4), (Axes{1, 1, 2, 3, 1}));
  EXPECT_EQ(resolve_axes(options, 1, 4), (Axes{}));
  options.parallel.data = 2, options.data.batch = 2;
  EXPECT_EQ(resolve_axes(options, 4, 4), (Axes{1, 2, 1, 2, 1}));
}

TEST(Axes, RefuseLayoutsThatCannotWork) {
  const auto message = [](const std::string& more, int ranks, int64_t heads) -> std::string {
    try {
      resolve_axes(parse_recipe(minimal + more, "r"), ranks, heads);
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "accepted";
  };
  EXPECT_NE(message("[parallel]\nulysses = 3", 4, 4).find("3 ranks, but 4 were started"), std::string::npos);
  EXPECT_NE(message("[parallel]\nulysses = 8", 8, 4).find("choose at most 4"), std::string::npos);
  EXPECT_NE(message("[parallel]\ndata = 2", 2, 4).find("choose a batch of at least 2"), std::string::npos);
  EXPECT_NE(message("[parallel]\nmicro_batches = 2", 1, 4).find("choose at most 1"), std::string::npos);
}

}  // namespace
}  // namespace graticule

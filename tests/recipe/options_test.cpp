// Recipes: what is read, what is refused and in which words.

#include "graticule/recipe/options.h"

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
      {minimal + "[train]\nmoments = \"fp16\"", "one of \"fp32\", \"bf16\""},
      {minimal + "[train]\nstate_in = \"/tmp\"\ndevice = \"cuda\"",
       "train.state_in = \"/tmp\" with train.device = \"cuda\""},
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
  const Options options = parse_recipe(minimal + "[train]\nsteps = 5", "r",
                                       {"train.steps=7", "run.out=runs/x", "train.lr=1e-4",
                                        "data.variables=[\"a\",\"b@500\"]", "data.lead_hours=6"});
  EXPECT_EQ(options.train.steps, 7);
  EXPECT_EQ(options.run.out, "runs/x");
  EXPECT_EQ(options.train.lr, 1e-4);
  EXPECT_EQ(options.data.variables, (std::vector<std::string>{"a", "b@500"}));
  EXPECT_EQ(options.data.lead_hours, std::vector<int64_t>{6});
  EXPECT_NE(refusal(minimal, {"steps=7"}).find("section.key=value"), std::string::npos);
  EXPECT_NE(refusal(minimal, {"train.stepz=7"}).find("train.steps"), std::string::npos);
}

TEST(Recipe, PresetGivesWhatIsNotNamedBesideIt) {
  const auto size = [](const Options& options) {
    return std::array{options.model.dim, options.model.depth, options.model.heads};
  };
  const std::string with_preset = minimal + "[model]\npreset = \"1b\"\ndepth = 3\n";
  using Size = std::array<int64_t, 3>;
  EXPECT_EQ(size(parse_recipe(with_preset, "r")), (Size{2048, 3, 16}));
  EXPECT_EQ(size(parse_recipe(with_preset, "r", {"model.dim=32", "model.heads=1"})), (Size{32, 3, 1}));
  EXPECT_EQ(size(parse_recipe(with_preset, "r", {"model.preset=tiny", "model.heads=1"})), (Size{64, 4, 1}));
  EXPECT_NE(refusal(minimal, {"model.preset=2b"}).find("115m"), std::string::npos);
}

TEST(Recipe, IsTheSameAfterWritingAndReading) {
  const Options options =
      parse_recipe(minimal + "[model]\ntokens = \"channels\"\nqk_norm = true\n[train]\nlr = 0.1\n", "r");
  EXPECT_EQ(to_toml(parse_recipe(to_toml(options), "again")), to_toml(options));
}

TEST(Recipe, KnowsWhatItNames) {
  const std::string toml = "[data]\npath = \"p\"\n[parallel]\nshard = \"none\"\n";
  const Options options = parse_recipe(toml, "r", {"train.activations=keep"});
  const std::set<std::string> expected = {"data",           "data.path", "parallel",
                                          "parallel.shard", "train",     "train.activations"};
  EXPECT_EQ(options.named, expected);
  EXPECT_TRUE(parse_recipe(to_toml(options), "r").named.contains("parallel.data"));
}

}  // namespace
}  // namespace graticule

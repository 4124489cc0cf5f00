// Tests the reading of recipes: accepted keys, refused values and the messages.

#include "graticule/recipe/options.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "graticule/recipe/recipe_fields.h"

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
      {minimal + "[train]\nsteps = 0", "train.steps = 0 (line 4): it must be at least 1"},
      {minimal + "[train]\nprecision = \"fp8\"", "one of \"fp32\", \"bf16\""},
      {minimal + "[train]\nlr = -1.0", "train.lr = -1.0 (line 4): it must be above 0"},
      {minimal + "[train]\nmin_lr = 0.1\nlr = 0.01",
       "train.min_lr = 0.1: it must be at most train.lr = 0.01"},
      {minimal + "[parallel]\ndata = 65536\ncontext = 65536", "choose fewer"},
      {minimal + "[train]\nloss_weights = \"height\"",
       "one of \"none\", \"pressure\", or a table {variable = weight}"},
      {minimal + "[train]\nloss_weights = {a = \"x\"}", "a table of numbers, {variable = weight}"},
      {minimal + "[train]\nmoments = \"fp16\"", "one of \"fp32\", \"bf16\""},
      {minimal + "[train]\nstate_in = \"/tmp\"\ndevice = \"cuda\"",
       "train.state_in = \"/tmp\" with train.device = \"cuda\""},
      {minimal + "[train]\npatience = 3", "train.patience = 3 counts evaluations: set run.eval_every too"},
      {minimal + "[data.layout]\nname = []", "unknown key data.layout.name: did you mean data.layout.names?"},
      {minimal + "[data.layout]\nlatitudes = [\"north\"]", "(line 4): it must be a list of numbers"},
      {minimal + "[data.layout]\nlatitudes = [90]", "data.layout.latitudes: give two numbers, [first, last]"},
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

// Every number of the recipe: its key, its range, and values out of it, as TOML.
class Numbers {
 public:
  struct Number {
    std::string key;
    ValueRange range;
    std::vector<std::string> outside;
  };
  std::vector<Number> list;

  void section(const char* name) { section_ = name; }
  template <class T>
  void field(const char*, KeyKind, const T&) {}
  template <class Enum>
  void choice(const char*, KeyKind, const Enum&) {}
  void field(const char* key, KeyKind, int64_t value, const ValueRange& range) {
    add(key, static_cast<double>(value), range, 1, "{:.0f}");
  }
  void field(const char* key, KeyKind, double value, const ValueRange& range) {
    add(key, value, range, 1e-3, "{:e}");
    for (const char* odd : {"nan", "inf", "-inf"}) list.back().outside.emplace_back(odd);
  }
  void field(const char* key, KeyKind, const std::vector<int64_t>& values, const ValueRange& range) {
    add(key, values.empty() ? 1 : static_cast<double>(values[0]), range, 1, "[24, {:.0f}]");
  }
  void field(const char* key, KeyKind, const std::vector<double>&, const ValueRange& range) {
    add(key, 0, range, 1e-3, "[0, {:e}]");
  }
  void field(const char* key, KeyKind, const Patch& patch, const ValueRange& range) {
    add(key, static_cast<double>(patch.rows), range, 1, "[2, {:.0f}]");
  }
  void field(const char* key, KeyKind, const LossWeights&, const ValueRange& range) {
    add(key, 1, range, 1e-3, "{{a = 1, b = {:e}}}");
  }

 private:
  void add(const char* key, double value, const ValueRange& range, double step, const char* format) {
    EXPECT_TRUE(range.holds(value)) << "the default of " << key;
    Number number{section_ + "." + key, range, {}};
    for (const auto& [end, open, outwards] :
         {std::tuple{range.least, range.least_is_open, -step}, {range.most, range.most_is_open, step}}) {
      if (!std::isfinite(end)) continue;
      const double beyond = end + outwards * std::max(1.0, std::abs(end) * 1e-3);
      number.outside.push_back(fmt::format(fmt::runtime(format), beyond));
      if (open) number.outside.push_back(fmt::format(fmt::runtime(format), end));
    }
    list.push_back(std::move(number));
  }
  std::string section_;
};

TEST(Recipe, RefusesEveryNumberOutOfItsRange) {
  Numbers numbers;
  Options defaults;
  visit_fields(numbers, defaults);
  EXPECT_GT(numbers.list.size(), 35U);
  for (const auto& [key, range, outside] : numbers.list) {
    EXPECT_EQ(outside.empty(), key.ends_with(".seed")) << key;
    for (const std::string& value : outside) {
      const std::string message = refusal(minimal, {key + "=" + value});
      EXPECT_TRUE(message.starts_with("[r.toml] " + key + " = ")) << value << " -> " << message;
      EXPECT_TRUE(message.ends_with(": it must be " + range.words())) << value << " -> " << message;
    }
  }
}

TEST(Recipe, SaysARangeInWords) {
  EXPECT_EQ(within(0, 1).words(), "at least 0 and below 1");
  EXPECT_EQ(above(0).words(), "above 0");
  EXPECT_EQ(between(0, most_int, "0: all").words(), "at least 0 and at most 2147483647; 0: all");
  EXPECT_EQ(any_number().words(), "a finite number");
}

TEST(Recipe, OverridesWinAndTextNeedsNoQuotes) {
  const Options options =
      parse_recipe(minimal + "[train]\nsteps = 5", "r",
                   {"train.steps=7", "run.out=runs/x", "train.lr=1e-4", "data.variables=[\"a\",\"b@500\"]",
                    "data.lead_hours=6", "data.layout.latitudes=[90, -89.75]"});
  EXPECT_EQ(options.data.layout.latitudes, (std::vector<double>{90, -89.75}));
  EXPECT_EQ(parse_recipe(to_toml(options), "again").data.layout.latitudes, options.data.layout.latitudes);
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

// Recipes of before name qk_norm as true or false. Those in run folders name every key of their time.
TEST(Recipe, OfAnEarlierVersionKeepsItsForm) {
  const std::string written = minimal + "[model]\ndim = 32\ndrop_path = 0.0\nqk_norm = ";
  for (const auto& [word, norm] : {std::pair{"true", QkNorm::layer}, {"false", QkNorm::none}}) {
    const Options old = parse_recipe(written + word + "\n", "r", {"train.steps=3"});
    EXPECT_EQ(old.model.qk_norm, norm);
    EXPECT_EQ(old.model.place, PlaceForm::added);
    EXPECT_FALSE(old.model.qk_variables);
    EXPECT_EQ(old.model.lead_std, 0.02);
    EXPECT_EQ(to_toml(parse_recipe(to_toml(old), "again")), to_toml(old));
  }
  EXPECT_EQ(parse_recipe(minimal, "r").model.place, PlaceForm::aimed);
  const Options mixed = parse_recipe(written + "false\nplace = \"rotary\"\n", "r");
  EXPECT_EQ(mixed.model.place, PlaceForm::rotary);
  EXPECT_NE(refusal(minimal + "[model]\nqk_norm = \"yes\"").find("\"cosine\""), std::string::npos);
}

TEST(Recipe, KnowsWhatItNames) {
  const std::string toml = "[data]\npath = \"p\"\n[parallel]\nshard = \"none\"\n";
  const Options options = parse_recipe(toml, "r", {"train.activations=keep"});
  const std::set<std::string> expected = {"data",           "data.path", "parallel",
                                          "parallel.shard", "train",     "train.activations"};
  EXPECT_EQ(options.named, expected);
  EXPECT_TRUE(parse_recipe(to_toml(options), "r").named.contains("parallel.data"));
}

TEST(Recipe, APatchHasOneSideOrOneForEachAxis) {
  const auto patch_of = [](const std::string& value) {
    const Options options = parse_recipe(minimal, "r", {"model.patch=" + value});
    EXPECT_EQ(parse_recipe(to_toml(options), "again").model.patch, options.model.patch) << value;
    return options.model.patch;
  };
  EXPECT_EQ(patch_of("4"), Patch(4));
  EXPECT_EQ(patch_of("[4, 8]"), Patch(1, 4, 8));
  EXPECT_EQ(patch_of("[4, 8, 8]"), Patch(4, 8, 8));
  EXPECT_NE(refusal(minimal, {"model.patch=[1, 2, 3, 4]"}).find("[rows, columns] or [layers, rows, columns]"),
            std::string::npos);
}

TEST(Recipe, RefusesWhatIsOfImagesAlone) {
  for (const char* key :
       {"data.crop=[8, 8]", "data.periodic=[\"rows\"]", "data.dimensions=[\"row\", \"column\"]"})
    EXPECT_NE(refusal(minimal, {key}).find("set data.grid = \"plane\" or \"volume\""), std::string::npos)
        << key;
  const std::string plane = minimal + "grid = \"plane\"\n";
  EXPECT_NE(refusal(plane, {"data.crop=[8, 8, 8]"}).find("a plane needs 2"), std::string::npos);
  EXPECT_NE(refusal(plane, {"data.periodic=[\"layers\"]"}).find("names layers"), std::string::npos);
  EXPECT_NE(refusal(plane, {"data.dimensions=[\"row\", \"row\"]"}).find("at most once"), std::string::npos);
}

}  // namespace
}  // namespace graticule

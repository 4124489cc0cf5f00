// Changes every key of a recipe alone, and tests that it is judged by its kind.

#include "graticule/recipe/same_meaning.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/train/scratch_folder.h"

namespace graticule {
namespace {

// Gives the key numbered `which` another value, and says which it was.
class Alteration {
 public:
  explicit Alteration(int which) : which_(which) {}
  void section(const char* name) { section_ = name; }
  template <class T>
  void field(const char* name, KeyKind of_key, T& value, const ValueRange& = {}) {
    if (is_it(name, of_key)) alter(value);
  }
  template <class Enum>
  void choice(const char* name, KeyKind of_key, Enum& value) {
    if (is_it(name, of_key)) alter(value);
  }
  std::string key;  // empty: there is no such number
  KeyKind kind = KeyKind::execution;

 private:
  bool is_it(const char* name, KeyKind of_key) {
    if (count_++ != which_) return false;
    key = section_ + "." + name, kind = of_key;
    return true;
  }
  template <class Enum>
  requires std::is_enum_v<Enum>
  static void alter(Enum& value) {
    value = choices_of<Enum>[value == choices_of<Enum>[0].value ? 1 : 0].value;
  }
  template <class Enum>
  static void alter(std::optional<Enum>& value) {
    value = value == choices_of<Enum>[0].value ? choices_of<Enum>[1].value : choices_of<Enum>[0].value;
  }
  static void alter(bool& value) { value = !value; }
  static void alter(Patch& value) { value = Patch(2, 4, 4); }
  static void alter(int64_t& value) { value += 1; }
  static void alter(double& value) { value += 1. / 3; }
  static void alter(std::string& value) { value += "x"; }
  static void alter(std::vector<std::string>& value) { value.insert(value.begin(), "x"); }
  static void alter(std::vector<int64_t>& value) { value.push_back(48); }
  static void alter(std::vector<double>& value) { value = {1, 2}; }
  static void alter(LossWeights& value) { value.by_name["a"] = 2; }

  int which_, count_ = 0;
  std::string section_;
};

Options trained() {
  return parse_recipe("[data]\npath = \"p\"\nvariables = [\"a\", \"b\"]\ntargets = [\"a\"]\n", "recipe");
}

std::string verdict(const Options& now, TakenUp purpose) {
  return message_of<std::invalid_argument>(
      [&] { refuse_another_meaning("RUN/checkpoints/step-3", trained(), now, purpose); });
}

TEST(SameMeaning, EveryKeyIsJudgedByItsKind) {
  std::set<std::string> meaning;
  int which = 0;
  for (;; ++which) {
    Options now = trained();
    Alteration altered(which);
    visit_fields(altered, now);
    if (altered.key.empty()) break;
    const auto changes = changes_between(trained(), now);
    ASSERT_EQ(changes.size(), 1U) << altered.key;
    EXPECT_EQ(changes[0].key, altered.key);
    const bool refused = altered.kind == KeyKind::meaning, told = altered.kind == KeyKind::course;
    if (refused) meaning.insert(altered.key);
    for (const TakenUp purpose : {TakenUp::to_train, TakenUp::to_use}) {
      const std::string message = verdict(now, purpose);
      EXPECT_EQ(!message.empty(), refused) << altered.key << ": " << message;
      const std::string words =
          altered.key + " = " + changes[0].before + ", the recipe has " + changes[0].now + ": ";
      EXPECT_EQ(message.find(words) != std::string::npos, refused) << message;
      EXPECT_EQ(message.find("another run.out") != std::string::npos, refused) << message;
    }
    const auto sentences = course_changes(trained(), now);
    ASSERT_EQ(sentences.size(), told ? 1U : 0U) << altered.key;
    if (!told) continue;
    EXPECT_EQ(sentences[0], altered.key + " " + changes[0].before + " -> " + changes[0].now);
  }
  EXPECT_GT(which, 60);
  // A key that moves into this list, or out of it, was thought about.
  EXPECT_EQ(meaning, (std::set<std::string>{
                         "data.variables",  "data.targets",     "data.history",       "data.lead_hours",
                         "data.predict",    "data.grid",        "data.periodic",      "data.crop",
                         "data.level",      "model.tokens",     "model.patch",        "model.dim",
                         "model.depth",     "model.heads",      "model.kv_heads",     "model.head_layers",
                         "model.mlp_ratio", "model.place",      "model.qk_norm",      "model.qk_variables",
                         "model.calendar",  "model.add_merged", "task.kind",          "task.classes",
                         "task.factor",     "task.decoder_dim", "task.decoder_depth", "task.decoder_heads"}));
}

TEST(SameMeaning, NamesEveryDifferenceAndTheWayOut) {
  Options now = trained();
  now.data.variables = {"b", "a"}, now.data.lead_hours = {12}, now.model.heads = 8;
  const std::string message = verdict(now, TakenUp::to_use);
  for (const char* words : {"data.variables = [\"a\", \"b\"], the recipe has [\"b\", \"a\"]",
                            "data.lead_hours = [24], the recipe has [12]",
                            "model.heads = 4, the recipe has 8", "--lead, one of [24]", "--set"}) {
    EXPECT_NE(message.find(words), std::string::npos) << message;
  }
  EXPECT_EQ(verdict(now, TakenUp::to_train).find("--lead"), std::string::npos);
}

TEST(SameMeaning, ARecipeOfBeforeTheFormGoesOn) {
  Options old = trained();
  old.model.place = PlaceForm::added, old.model.qk_norm = QkNorm::none;
  old.model.qk_variables = false, old.model.lead_std = 0.02;
  Options now = trained(), other = now;
  take_unnamed_form(old, now);
  EXPECT_TRUE(changes_between(old, now).empty());
  other.named.insert("model.place");
  take_unnamed_form(old, other);
  const auto changes = changes_between(old, other);
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].key, "model.place");
}

TEST(SameMeaning, TwoSpellingsOfOneValueAreOne) {
  Options now = parse_recipe(to_toml(trained()), "again");
  EXPECT_TRUE(changes_between(trained(), now).empty());
  now.model.kv_heads = now.model.heads;
  EXPECT_TRUE(changes_between(trained(), now).empty());
  Options thirds = trained();
  thirds.train.lr = 1. / 3;
  EXPECT_TRUE(changes_between(thirds, parse_recipe(to_toml(thirds), "again")).empty());
}

}  // namespace
}  // namespace graticule

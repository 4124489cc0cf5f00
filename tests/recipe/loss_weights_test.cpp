// Tests the weights of variables and levels in the loss.

#include "graticule/recipe/loss_weights.h"

#include <gtest/gtest.h>

#include "graticule/core/error.h"

namespace graticule {
namespace {

const std::vector<std::string> targets = {"2m_temperature", "geopotential@500", "temperature@250",
                                          "temperature@850"};

LossWeights weights_of(const std::string& value) {
  const Options options = parse_recipe("[data]\npath = \"p\"\n[train]\nloss_weights = " + value, "r");
  // What is written is read again.
  const Options again = parse_recipe(to_toml(options), "written");
  EXPECT_EQ(again.train.loss_weights.rule, options.train.loss_weights.rule);
  EXPECT_EQ(again.train.loss_weights.by_name, options.train.loss_weights.by_name);
  return options.train.loss_weights;
}

std::string refusal(const std::string& value) {
  try {
    target_weights(weights_of(value), targets);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "accepted";
}

TEST(LossWeights, AreThoseOfTheRuleOrTheTable) {
  EXPECT_EQ(target_weights({}, targets), (std::vector<double>{1, 1, 1, 1}));
  EXPECT_EQ(target_weights(weights_of("\"none\""), targets), (std::vector<double>{1, 1, 1, 1}));
  EXPECT_EQ(target_weights(weights_of("\"pressure\""), targets),
            (std::vector<double>{1, 1, 250 / 550., 850 / 550.}));
  EXPECT_EQ(
      target_weights(weights_of("{temperature = 2, \"temperature@850\" = 0.5, 2m_temperature = 0}"), targets),
      (std::vector<double>{0, 1, 2, 0.5}));
}

TEST(LossWeights, RefuseNamesThatAreNoTargetsAndALossOfNothing) {
  EXPECT_EQ(refusal("{temperature = 1}"), "accepted");
  EXPECT_NE(refusal("{temprature = 1}").find("no target: did you mean 'temperature'?"), std::string::npos);
  EXPECT_NE(refusal("{\"temperature@500\" = 1}").find("'temperature@500', which is no target"),
            std::string::npos);
  EXPECT_NE(
      refusal("{2m_temperature = 0, geopotential = 0, temperature = 0}").find("every target the weight 0"),
      std::string::npos);
}

TEST(LossWeights, AreSaidInWords) {
  EXPECT_EQ(loss_in_words({}, targets),
            "the loss is the mean squared error of normalised targets, weighted by area");
  EXPECT_EQ(
      loss_in_words(weights_of("\"pressure\""), targets),
      "the loss is the mean squared error of normalised targets, weighted by area and by train.loss_weights: "
      "2m_temperature 1, geopotential@500 1, temperature@250 0.4545, temperature@850 1.545");
}

}  // namespace
}  // namespace graticule

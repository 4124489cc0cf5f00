// Tests the count of evaluations without a better score.

#include "graticule/train/validation.h"

#include <gtest/gtest.h>

#include <cmath>

#include "graticule/train/evaluate.h"

namespace graticule {
namespace {

TEST(Validation, CountsEvaluationsWithoutABetterScore) {
  Validation validation;
  EXPECT_FALSE(note_score(validation, std::nan(""), 5));  // nothing was scored: no best yet
  EXPECT_EQ(validation.best_step, 0);
  EXPECT_TRUE(note_score(validation, 0.8, 10));
  EXPECT_FALSE(note_score(validation, 0.8, 15));  // equal is not better
  EXPECT_FALSE(note_score(validation, std::nan(""), 20));
  EXPECT_EQ(validation.without, 2);
  EXPECT_TRUE(note_score(validation, 0.7, 25));
  EXPECT_EQ(validation.without, 0);
  EXPECT_EQ(validation.best_step, 25);
  EXPECT_EQ(validation.best, 0.7);
  EXPECT_EQ(validation.evaluated, 25);
}

}  // namespace
}  // namespace graticule

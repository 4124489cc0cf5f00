#include "graticule/recipe/remedies.h"

#include <gtest/gtest.h>

namespace graticule {
namespace {

TEST(Remedies, NameTheKeysOfTheLargestAccounts) {
  Booked booked;
  booked.of(Account::optimizer) = 60, booked.of(Account::activations) = 30, booked.of(Account::exchange) = 11;
  booked.of(Account::data) = 1;
  const std::string advice = leaner_than(booked);
  for (const char* word :
       {"parallel.shard", "train.activations", "head_groups", "more ranks", "train.memory_gib"}) {
    EXPECT_NE(advice.find(word), std::string::npos) << word << " in " << advice;
  }
  EXPECT_LT(advice.find("optimizer"), advice.find("activations ("));
  EXPECT_EQ(advice.find("data.batch"), std::string::npos) << advice;
}

}  // namespace
}  // namespace graticule

// The seed of a test's random draws: 0, or what `--gtest_random_seed=N` or the environment variable
// GTEST_RANDOM_SEED says (N from 0 to 99999; ctest hands the variable on). A test that draws and fails prints
// the command that draws the same again.
#pragma once

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdint>
#include <iostream>
#include <memory>

namespace graticule {

/// Says, after a test that failed, how to run it again with its seed.
class Replay : public testing::EmptyTestEventListener {
  void OnTestEnd(const testing::TestInfo& test) override {
    if (!test.result()->Failed()) return;
    std::cout << "the same draws again: GTEST_RANDOM_SEED=" << GTEST_FLAG_GET(random_seed) << " "
              << program_invocation_name << " --gtest_filter=" << test.test_suite_name() << "." << test.name()
              << std::endl;
  }
};

inline uint32_t test_seed() {
  [[maybe_unused]] static const bool told = [] {
    testing::UnitTest::GetInstance()->listeners().Append(std::make_unique<Replay>().release());
    return true;
  }();
  return static_cast<uint32_t>(GTEST_FLAG_GET(random_seed));
}

}  // namespace graticule

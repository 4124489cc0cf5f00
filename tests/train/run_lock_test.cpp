// Tests that one job at a time trains in a run folder, also on a disk without file locks and after a crash.

#include "graticule/train/run_lock.h"

#include <gtest/gtest.h>

#include "tests/train/scratch_folder.h"

namespace graticule {
namespace {

constexpr SignsOfLife quick{std::chrono::milliseconds(50), std::chrono::milliseconds(400)};

TEST(RunLock, RefusesASecondJobAndIsFreeAfterwards) {
  for (const bool locks : {true, false}) {
    const ScratchFolder folder;
    {
      const RunLock first(folder.path(), locks, quick);
      EXPECT_EQ(first.held(), locks);
      const std::string message =
          message_of<std::invalid_argument>([&] { const RunLock second(folder.path(), locks, quick); });
      EXPECT_NE(message.find("is in use: process "), std::string::npos) << message;
    }
    EXPECT_NO_THROW(RunLock(folder.path(), locks, quick));
  }
}

// A crashed owner leaves its name in the file and touches it no more.
TEST(RunLock, SurvivesACrashedOwnerOnADiskWithoutLocks) {
  const ScratchFolder folder;
  write_bytes(folder / "lock", "process 1 on another-host");
  const auto start = std::chrono::steady_clock::now();
  const RunLock taken(folder.path(), false, quick);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
  EXPECT_NE(read_bytes(folder / "lock").find("process "), std::string::npos);
  EXPECT_EQ(read_bytes(folder / "lock").find("another-host"), std::string::npos);
  EXPECT_TRUE(std::filesystem::exists(folder / "lock"));
}

}  // namespace
}  // namespace graticule

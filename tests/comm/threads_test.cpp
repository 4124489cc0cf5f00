// Tests errors of ranks that are threads: they end all ranks and are reported.
#include <ATen/ops/ones.h>

#include "graticule/comm/threads/threads.h"

#include <gtest/gtest.h>

#include "tests/ranks.h"

namespace graticule {
namespace {

TEST(Threads, TheFirstErrorOfARankEndsTheOthersAndIsRethrown) {
  try {
    run_ranks(4, [](const World& world) {
      const Group group = group_of_all(world);
      group.barrier();
      if (world.rank == 2) throw std::invalid_argument("rank 2 has had enough");
      group.all_reduce(at::ones({3})).wait();
    });
    FAIL() << "nothing was thrown";
  } catch (const std::invalid_argument& error) {
    EXPECT_STREQ(error.what(), "rank 2 has had enough");
  }
}

TEST(Threads, DifferentOperationsInOnePlaceAreNamed) {
  try {
    run_ranks(2, [](const World& world) {
      const Group group = group_of_all(world);
      if (world.rank == 0)
        group.barrier();
      else
        group.all_reduce(at::ones({3})).wait();
    });
    FAIL() << "nothing was thrown";
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "[world] rank 0 issued barrier, rank 1 issued all_reduce in the same place");
  }
}

}  // namespace
}  // namespace graticule

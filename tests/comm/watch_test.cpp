// Tests which rank the watchdog names when a wait lasts too long.
#include <ATen/ops/ones.h>

#include "graticule/comm/watch.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "graticule/comm/mesh.h"
#include "tests/ranks.h"

namespace graticule {
namespace {

/// The error that ends a job of `size` ranks when a wait may last one second.
std::string message_of(int size, const std::function<void(const World&)>& body) {
  try {
    run_ranks(size, [&](const World& world) {
      world.watch->set_timeout(1);
      body(world);
    });
  } catch (const std::exception& error) {
    return error.what();
  }
  return "none";
}

void rest() { std::this_thread::sleep_for(std::chrono::seconds(3)); }

TEST(Watch, ARankThatComputesForTooLongIsNamedWithItsLastOperation) {
  const std::string message = message_of(4, [](const World& world) {
    const Mesh mesh = make_mesh(world, {.data = 2, .ulysses = 2});
    world.watch->set_step(11);
    mesh.data.all_reduce(at::ones({3})).wait();
    world.watch->set_step(12);
    if (world.rank == 3) rest();
    mesh.ulysses.all_gather(at::ones({1}), {1, 1}).wait();
  });
  EXPECT_TRUE(
      message.starts_with("[watchdog] step 12: rank 3 has not joined all_gather of axis ulysses after "))
      << message;
  EXPECT_NE(message.find("(its last: all_reduce of axis data, step 11; it answers, computing for "),
            std::string::npos)
      << message;
}

/// Rank 0 waits for rank 1, which waits for rank 2: rank 2 is named.
TEST(Watch, TheRankAtTheEndOfTheChainIsNamed) {
  const std::string message = message_of(3, [](const World& world) {
    const Group group = group_of_all(world);
    const at::Tensor value = at::ones({1});
    if (world.rank == 0) group.receive(value, 1).wait();
    if (world.rank == 1) group.send(group.receive(value, 2).wait(), 0).wait();
    if (world.rank == 2) {
      rest();
      group.send(value, 1).wait();
    }
  });
  EXPECT_TRUE(message.starts_with("[watchdog] step 0: rank 2 has not joined receive of axis world after "))
      << message;
}

TEST(Watch, RanksThatWaitForEachOtherAreNamed) {
  const std::string message = message_of(2, [](const World& world) {
    const Group first = group_of_all(world), second = world.split({0, 1}, "replicas");
    (world.rank == 0 ? first : second).barrier();
  });
  EXPECT_NE(message.find("their operations differ"), std::string::npos) << message;
  EXPECT_NE(message.find("of axis replicas"), std::string::npos) << message;
}

TEST(Watch, ASlowRankIsWaitedForWithoutATimeOut) {
  run_ranks(2, [](const World& world) {
    world.watch->set_timeout(0);
    if (world.rank == 1) std::this_thread::sleep_for(std::chrono::milliseconds(300));
    group_of_all(world).barrier();
  });
}

TEST(Watch, TheTimeOfASuspendedJobDoesNotCount) {
  const auto watch = std::make_shared<Watch>(0);
  const Ticket ticket{
      std::make_shared<Watched>(Watched{watch, 0, {0, 1}}), watch->issue(0, "world", "barrier"), {}};
  const Waiting waiting(ticket);
  ASSERT_TRUE(watch->overdue(0));
  EXPECT_EQ(watch->overdue(0)->others, std::vector<int>{1});
  watch->excuse(3600);
  EXPECT_FALSE(watch->overdue(0));
}

/// The verdict names a rank that does not answer first. (With ranks as threads there is no such rank.)
TEST(Watch, ARankThatDoesNotAnswerComesFirst) {
  Watch watch(0);
  Overdue overdue{0, watch.issue(0, "ulysses", "all_to_all"), {1, 2, 3}, 600};
  Standing waits, silent, computes;
  waits.rank = 1, waits.waits = true, waits.seconds = 1;
  silent.rank = 2, silent.answers = false;
  computes.rank = 3;
  const auto message = [&](const std::vector<Standing>& others) {
    return verdict(0, overdue, others, 7, 605);
  };
  EXPECT_TRUE(message({waits, silent, computes})
                  ->starts_with("[watchdog] step 7: rank 2 has not joined all_to_all of axis ulysses after "
                                "600 s, and no answer comes"));
  EXPECT_TRUE(message({waits, computes})->starts_with("[watchdog] step 7: rank 3 has not joined"));
  EXPECT_FALSE(message({waits}));
  waits.seconds = 605;
  EXPECT_TRUE(message({waits}));
  computes.joined = true, waits.joined = true;
  EXPECT_TRUE(
      message({waits, computes})->starts_with("[watchdog] step 7: rank 3 has not waited for all_to_all"));
}

}  // namespace
}  // namespace graticule

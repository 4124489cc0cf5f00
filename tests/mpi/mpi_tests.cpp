// Runs the cases of group_cases.h with ranks as processes: `mpiexec -n P mpi_tests`. A rank prints only
// failures. A failure on any rank gives all ranks a non-zero exit code. With an argument rank 1 does
// something wrong: see `misbehave`.
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>

#include <chrono>
#include <csignal>
#include <iostream>
#include <memory>
#include <numeric>
#include <thread>

#include "graticule/comm/launch.h"
#include "tests/comm/group_cases.h"

namespace graticule {
namespace {

class MpiCase : public testing::Test {
 public:
  MpiCase(const World& world, const GroupCase& group_case) : world_(world), case_(group_case) {}
  void TestBody() override { case_.run(world_); }

 private:
  const World& world_;
  const GroupCase& case_;
};

class FailurePrinter : public testing::EmptyTestEventListener {
 public:
  explicit FailurePrinter(int rank) : rank_(rank) {}
  void OnTestPartResult(const testing::TestPartResult& result) override {
    if (!result.failed()) return;
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    std::cerr << text("rank ", rank_, " ", test ? test->name() : "", " ",
                      result.file_name() ? result.file_name() : "", ":", result.line_number(), "\n",
                      result.message(), "\n");
  }

 private:
  int rank_;
};

int run_cases(const World& world) {
  for (const GroupCase& group_case : group_cases()) {
    testing::RegisterTest(
        "Mpi", group_case.name, nullptr, nullptr, __FILE__, __LINE__,
        [&]() -> testing::Test* { return std::make_unique<MpiCase>(world, group_case).release(); });
  }
  auto& listeners = testing::UnitTest::GetInstance()->listeners();
  const std::unique_ptr<testing::TestEventListener> silenced(
      listeners.Release(listeners.default_result_printer()));
  listeners.Append(std::make_unique<FailurePrinter>(world.rank).release());
  const int64_t failed = RUN_ALL_TESTS();
  const at::Tensor worst = at::full({1}, failed, at::kLong);
  return static_cast<int>(group_of_all(world).all_reduce(worst, Reduction::max).wait().item<int64_t>());
}

/// Rank 1 does something wrong while the others wait for it. The watchdog allows 1 s.
[[noreturn]] void misbehave(const World& world, const std::string& how) {
  world.watch->set_timeout(1);
  const Group group = group_of_all(world);
  std::vector<int> members(world.size);
  std::iota(members.begin(), members.end(), 0);
  const Group second = world.split(members, "replicas");
  world.watch->set_step(12);
  group.all_reduce(at::ones({1 << 20})).wait();
  const Pending dropped = group.all_reduce(at::ones({1 << 20}));
  if (world.rank == 1) {
    if (how == "--fails") fail("test", "rank 1 has had enough");
    if (how == "--is-killed") std::raise(SIGKILL);
    if (how == "--is-stopped") std::raise(SIGSTOP);
    if (how == "--sleeps") std::this_thread::sleep_for(std::chrono::minutes(1));
    if (how == "--waits-elsewhere") second.barrier();
    if (how == "--receives") group.receive(at::ones({3}), 0, 7).wait();
  }
  for (;;) group.barrier();
}

int run(int argc, char** argv) {
  const World world = launch();
  try {
    if (argc > 1) misbehave(world, argv[1]);
    return run_cases(world);
  } catch (const std::exception& error) {
    std::cerr << text("rank ", world.rank, ": ", error.what(), "\n");
    world.abort(3);
    return 3;
  }
}

}  // namespace
}  // namespace graticule

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  GTEST_FLAG_SET(catch_exceptions, false);
  return graticule::run(argc, argv);
}

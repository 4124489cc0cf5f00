// Tests that tensors are booked by account, and that a passed limit and a failed allocation are explained.
#include "graticule/train/memory.h"

#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/ones.h>

#include "graticule/core/error.h"
#include "graticule/recipe/remedies.h"
#include "tests/ranks.h"

namespace graticule {
namespace {

constexpr int64_t bytes = 4000;

at::Tensor allocate(Account account, at::Device device = at::kCPU) {
  const Accounted booked(account);
  return at::empty({bytes / 4}, at::TensorOptions(device));
}

TEST(MemoryWatch, BooksByAccountUntilGivenBackWhereverThatIs) {
  for (const at::Device device : {at::Device(at::kCPU), at::Device(at::kMeta)}) {
    const at::Tensor earlier = at::empty({100}, at::TensorOptions(device));
    Ledger ledger;
    at::Tensor later;
    {
      const MemoryWatch watch(ledger, device.type());
      at::Tensor weights = allocate(Account::weights, device), data = allocate(Account::data, device);
      const at::Tensor view = weights.view({-1, 10}).narrow(0, 1, 3);
      EXPECT_EQ(ledger.now().of(Account::weights), bytes);
      weights.reset();
      EXPECT_EQ(ledger.now().of(Account::weights), bytes) << "a view holds the whole";
      {
        const Accounted elsewhere(Account::optimizer);
        data.reset();
      }
      EXPECT_EQ(ledger.now().of(Account::data), 0);
      later = allocate(Account::exchange, device);
    }
    EXPECT_EQ(ledger.now().of(Account::exchange), bytes);
    EXPECT_EQ(ledger.peak().total(), 2 * bytes) << device;
    allocate(Account::other, device);
    EXPECT_EQ(ledger.peak().total(), 2 * bytes) << "nobody watches any more";
  }
}

TEST(MemoryWatch, SeesAutogradAndKeepsRanksApart) {
  run_ranks(3, [](const World& world) {
    Ledger ledger;
    const MemoryWatch watch(ledger);
    const Accounted booked(Account::activations);
    const at::Tensor x = at::ones({1000 * (world.rank + 1)}).requires_grad_();
    torch::autograd::backward({(x * x).sum()});
    EXPECT_EQ(ledger.now().of(Account::activations), 2 * x.numel() * 4) << "x and its gradient";
    EXPECT_GE(ledger.peak().total(), 3 * x.numel() * 4);
    const RankMemory largest = largest_memory(ledger, group_of_all(world));
    EXPECT_EQ(largest.rank, 2);
    if (world.rank == 2) {
      EXPECT_EQ(largest.peak, ledger.peak());
    }
    EXPECT_GT(largest.resident, 0);
  });
}

TEST(MemoryWatch, ALimitPassedEndsInTheBackwardToo) {
  Ledger ledger(13000);
  const MemoryWatch watch(ledger);
  const at::Tensor x = at::ones({1000}).requires_grad_();
  at::Tensor y = x * x * x;
  EXPECT_THROW(torch::autograd::backward({y}, {at::ones({1000})}), OutOfMemory);
}

TEST(MemoryWatch, AnAllocationThatFailsIsExplained) {
  Ledger ledger(std::nullopt, leaner_than);
  const MemoryWatch watch(ledger);
  const at::Tensor held = allocate(Account::optimizer);
  try {
    explain_out_of_memory(ledger, [] { at::empty({int64_t{1} << 50}); });
    FAIL() << "a pebibyte was given";
  } catch (const OutOfMemory& error) {
    EXPECT_NE(std::string(error.what()).find("train.moments"), std::string::npos) << error.what();
  }
  EXPECT_THROW(explain_out_of_memory(ledger, [] { refuse("x", "y"); }), std::invalid_argument);
}

TEST(MemoryLimit, IsTheRecipesOrTheRanksShareOfTheNode) {
  EXPECT_EQ(memory_limit(1.5, at::kCPU, 4), 3LL << 29);
  EXPECT_EQ(memory_limit(1.5, at::kCUDA, 4), 3LL << 29);
  EXPECT_EQ(memory_limit(0, at::kCUDA, 1), std::nullopt);
  const auto alone = memory_limit(0, at::kCPU, 1), shared = memory_limit(0, at::kCPU, 1000);
  ASSERT_TRUE(alone && shared);
  EXPECT_GT(*alone, *shared);
  EXPECT_GT(*shared, 0);
}

}  // namespace
}  // namespace graticule

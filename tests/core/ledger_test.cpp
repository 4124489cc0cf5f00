// Tests the ledger: accounts, peak, threads and limit.
#include "graticule/core/ledger.h"

#include <gtest/gtest.h>

#include <random>
#include <thread>
#include <vector>

#include "tests/seed.h"

namespace graticule {
namespace {

TEST(Ledger, PeakHoldsTheAccountsOfItsMoment) {
  const auto seed = test_seed();
  std::mt19937_64 random(seed);
  Ledger ledger;
  Booked now, peak;
  for (int i = 0; i < 1000; ++i) {
    const Account account = all_accounts[random() % all_accounts.size()];
    int64_t bytes = static_cast<int64_t>(random() % 1000);
    if (random() % 2 == 0) bytes = -std::min(bytes, now.of(account));
    ledger.book(account, bytes);
    now.of(account) += bytes;
    if (now.total() > peak.total()) peak = now;
  }
  EXPECT_EQ(ledger.now(), now) << "seed " << seed;
  EXPECT_EQ(ledger.peak(), peak) << "seed " << seed;
}

TEST(Ledger, CountsEveryThread) {
  Ledger ledger;
  std::vector<std::jthread> threads;
  for (const Account account : all_accounts) {
    threads.emplace_back([&ledger, account] {
      for (int i = 0; i < 1000; ++i) ledger.book(account, 3), ledger.book(account, -2);
    });
  }
  threads.clear();
  for (const Account account : all_accounts) EXPECT_EQ(ledger.now().of(account), 1000);
}

TEST(Accounted, TheInnermostWinsOnItsThread) {
  EXPECT_EQ(current_account(), Account::other);
  const Accounted outer(Account::activations);
  {
    const Accounted inner(Account::weights);
    EXPECT_EQ(current_account(), Account::weights);
    std::thread([] { EXPECT_EQ(current_account(), Account::other); }).join();
  }
  EXPECT_EQ(current_account(), Account::activations);
}

TEST(Ledger, PassingTheLimitSaysWhoHoldsWhatAndTheWayOut) {
  constexpr int64_t mib = 1 << 20;
  Ledger ledger(100 * mib, [](const Booked&) { return "fewer bytes"; });
  ledger.book(Account::optimizer, 60 * mib);
  ledger.book(Account::activations, 40 * mib);
  ledger.book(Account::activations, -10 * mib);
  try {
    ledger.book(Account::exchange, 11 * mib);
    FAIL() << "the limit was passed";
  } catch (const OutOfMemory& error) {
    const std::string message = error.what();
    EXPECT_TRUE(message.starts_with("[memory] 11.0 MiB more of exchange make 101.0 MiB")) << message;
    for (const char* word : {"100.0 MiB", ": choose fewer bytes", "60.0 MiB"}) {
      EXPECT_NE(message.find(word), std::string::npos) << word << " in " << message;
    }
  }
  EXPECT_EQ(ledger.now().total(), 90 * mib) << "what was refused is not booked";
  ledger.book(Account::exchange, 10 * mib);
}

}  // namespace
}  // namespace graticule

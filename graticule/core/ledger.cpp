#include "graticule/core/ledger.h"

#include <algorithm>
#include <cstdio>
#include <numeric>

#include "graticule/core/error.h"

namespace graticule {

namespace {

thread_local Account account_of_thread = Account::other;

constexpr double mib = 1024.0 * 1024.0;

double share_of(int64_t bytes, const Booked& booked) {
  return static_cast<double>(bytes) / static_cast<double>(std::max<int64_t>(1, booked.total()));
}

std::string table_line(std::string_view name, int64_t bytes, const Booked& booked) {
  std::array<char, 80> line{};
  std::snprintf(line.data(), line.size(), "  %-12.*s%12.1f MiB %5.1f %%", static_cast<int>(name.size()),
                name.data(), static_cast<double>(bytes) / mib, 100 * share_of(bytes, booked));
  return line.data();
}

}  // namespace

std::string_view name_of(Account account) {
  constexpr std::array<std::string_view, all_accounts.size()> names = {
      "weights", "gradients", "optimizer", "activations", "exchange", "attention", "data", "other"};
  return names[static_cast<size_t>(account)];
}

Account current_account() { return account_of_thread; }

Accounted::Accounted(Account account) : previous_(account_of_thread) { account_of_thread = account; }
Accounted::~Accounted() { account_of_thread = previous_; }

int64_t Booked::total() const { return std::accumulate(bytes.begin(), bytes.end(), int64_t{0}); }

std::array<Account, all_accounts.size()> largest_first(const Booked& booked) {
  auto accounts = all_accounts;
  std::stable_sort(accounts.begin(), accounts.end(),
                   [&](Account a, Account b) { return booked.of(a) > booked.of(b); });
  return accounts;
}

std::string table_of(const Booked& booked) {
  std::string table;
  for (const Account account : largest_first(booked)) {
    if (booked.of(account) != 0) table += table_line(name_of(account), booked.of(account), booked) + "\n";
  }
  return table + table_line("all", booked.total(), booked);
}

std::string gib(int64_t bytes) {
  const double in_mib = static_cast<double>(bytes) / mib;
  std::array<char, 40> line{};
  std::snprintf(line.data(), line.size(), in_mib < 1024 ? "%.1f MiB" : "%.2f GiB",
                in_mib < 1024 ? in_mib : in_mib / 1024);
  return line.data();
}

void Ledger::fail(const std::string& happened, const Booked& booked) const {
  throw OutOfMemory(
      text("[memory] ", happened, advise_ ? ": choose " + advise_(booked) : "", "\n", table_of(booked)));
}

void Ledger::book(Account account, int64_t bytes) {
  const std::lock_guard lock(mutex_);
  if (bytes > 0 && limit_ && total_ + bytes > *limit_) {
    Booked wanted = now_;
    wanted.of(account) += bytes;
    fail(text(gib(bytes), " more of ", name_of(account), " make ", gib(total_ + bytes),
              " of tensors, and a rank may use ", gib(*limit_)),
         wanted);
  }
  now_.of(account) += bytes;
  total_ += bytes;
  if (total_ <= peak_total_) return;
  peak_total_ = total_;
  peak_ = now_;
}

Booked Ledger::now() const {
  const std::lock_guard lock(mutex_);
  return now_;
}

Booked Ledger::peak() const {
  const std::lock_guard lock(mutex_);
  return peak_;
}

}  // namespace graticule

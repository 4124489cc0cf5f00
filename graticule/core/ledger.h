// Who holds the memory of a rank: bytes by account, now and when they were most.
//
// A Ledger is filled by whoever sees allocations (train/memory.h does for tensors); the code that makes them
// says for what: `Accounted booked(Account::weights);` names the account of this thread until it goes out of
// scope, as core/trace's Scope does for time. It costs nothing where nobody keeps a ledger.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace graticule {

enum class Account { weights, gradients, optimizer, activations, exchange, attention, data, other };

inline constexpr std::array all_accounts = {Account::weights,     Account::gradients, Account::optimizer,
                                            Account::activations, Account::exchange,  Account::attention,
                                            Account::data,        Account::other};

std::string_view name_of(Account account);

/// The account that this thread's allocations belong to: of the innermost Accounted, `other` without one.
Account current_account();

class Accounted {
 public:
  explicit Accounted(Account account);
  ~Accounted();
  Accounted(const Accounted&) = delete;
  Accounted& operator=(const Accounted&) = delete;

 private:
  Account previous_;
};

/// Bytes by account at one moment.
struct Booked {
  std::array<int64_t, all_accounts.size()> bytes = {};

  int64_t& of(Account account) { return bytes[static_cast<size_t>(account)]; }
  int64_t of(Account account) const { return bytes[static_cast<size_t>(account)]; }
  int64_t total() const;
  bool operator==(const Booked&) const = default;
};

/// Lines "account  MiB  share", the largest first, accounts without a byte left out, then the total.
std::string table_of(const Booked& booked);
/// `bytes` as "1.50 GiB" or "3.2 MiB".
std::string gib(int64_t bytes);

/// A rank needs more than it may use. The message holds the ledger and what to change.
struct OutOfMemory : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Safe to use from several threads.
class Ledger {
 public:
  /// What the user may change to hold less than `booked`, as the end of a sentence.
  using Advice = std::function<std::string(const Booked& booked)>;

  /// `limit`: bytes that may be booked at once; nothing: any number. `advise` completes the messages.
  explicit Ledger(std::optional<int64_t> limit = std::nullopt, Advice advise = nullptr)
      : limit_(limit), advise_(std::move(advise)) {}

  /// Throws OutOfMemory: `happened`, then the advice and the table of `booked`.
  [[noreturn]] void fail(const std::string& happened, const Booked& booked) const;

  /// Adds `bytes` (negative: given back). Throws OutOfMemory, and books nothing, when the sum would pass the
  /// limit.
  void book(Account account, int64_t bytes);
  Booked now() const;
  /// The accounts when their sum was largest.
  Booked peak() const;

 private:
  mutable std::mutex mutex_;
  std::optional<int64_t> limit_;
  Advice advise_;
  Booked now_, peak_;
  int64_t total_ = 0, peak_total_ = 0;
};

}  // namespace graticule

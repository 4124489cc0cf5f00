// The ledger of a rank's tensor memory: bytes by account (weights, activations, ...), now and at the peak.
//
// train/memory.h sees every allocation of a tensor and books it in a Ledger. The code that allocates names
// the account: `Accounted booked(Account::weights);` sets the account of this thread until it goes out of
// scope, as core/trace's Scope does for time. Without a ledger this costs nothing.
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

/// The word for an account in tables and messages: "weights", "gradients", ...
std::string_view name_of(Account account);

/// The account of this thread's allocations: that of the innermost Accounted, `other` without one.
Account current_account();

/// Sets this thread's account during its lifetime, then restores the account before it.
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
  /// The sum over all accounts.
  int64_t total() const;
  bool operator==(const Booked&) const = default;
};

/// All accounts, the one with the most bytes first.
std::array<Account, all_accounts.size()> largest_first(const Booked& booked);
/// A table for messages: one line "account  MiB  share" for each account that has bytes, the largest first,
/// and the total as the last line.
std::string table_of(const Booked& booked);
/// `bytes` as "1.50 GiB" or "3.2 MiB".
std::string gib(int64_t bytes);

/// Thrown when a rank needs more memory than it may use. The message has the ledger's table and the recipe
/// keys to change.
struct OutOfMemory : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Bytes by account. Safe to use from several threads.
class Ledger {
 public:
  /// Says what the user may change to hold less than `booked`, as the end of a sentence.
  using Advice = std::function<std::string(const Booked& booked)>;

  /// `limit`: the most bytes that may be booked at one time; nothing: no limit. `advise` completes messages.
  explicit Ledger(std::optional<int64_t> limit = std::nullopt, Advice advise = nullptr)
      : limit_(limit), advise_(std::move(advise)) {}

  /// Throws OutOfMemory. Its message: `happened`, the advice, and the table of `booked`.
  [[noreturn]] void fail(const std::string& happened, const Booked& booked) const;

  /// Adds `bytes` to an account; a negative number returns memory. When the total would pass the limit, it
  /// throws OutOfMemory and books nothing.
  void book(Account account, int64_t bytes);
  /// The bytes booked now.
  Booked now() const;
  /// The bytes by account at the moment of the largest total.
  Booked peak() const;

 private:
  mutable std::mutex mutex_;
  std::optional<int64_t> limit_;
  Advice advise_;
  Booked now_, peak_;
  int64_t total_ = 0, peak_total_ = 0;
};

}  // namespace graticule

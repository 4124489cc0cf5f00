// A ledger of sizes: what a piece of a program holds, counted without its tensors. Pieces add up to larger
// ones: run one after the other, the most at once and what stays follow from those of each.
#pragma once

#include <cstdint>

#include "graticule/core/ledger.h"

namespace graticule {

inline constexpr int64_t fp32_bytes = 4;

/// What some work holds beside what was there before it (negative: it gave some of that back).
struct Footprint {
  Booked most;  ///< when it held the most
  Booked left;  ///< at its end

  Footprint& make(Account account, int64_t bytes) {
    left.of(account) += bytes;
    return note(left);
  }
  Footprint& drop(Account account, int64_t bytes) {
    left.of(account) -= bytes;
    return *this;
  }
  /// Held for a moment, or takes the place of as much that was there.
  Footprint& brief(Account account, int64_t bytes) { return make(account, bytes).drop(account, bytes); }
  /// Of activations, as most are.
  Footprint& make(int64_t bytes) { return make(Account::activations, bytes); }
  Footprint& drop(int64_t bytes) { return drop(Account::activations, bytes); }
  Footprint& brief(int64_t bytes) { return brief(Account::activations, bytes); }
  /// Comes down or up to `bytes` in an account.
  Footprint& leave(Account account, int64_t bytes) {
    return drop(account, left.of(account)).make(account, bytes);
  }
  /// `part` runs next.
  Footprint& run(const Footprint& part) {
    note(sum(left, part.most));
    left = sum(left, part.left);
    return *this;
  }
  /// What `part` left is given back.
  Footprint& undo(const Booked& part) {
    for (const Account account : all_accounts) drop(account, part.of(account));
    return *this;
  }

 private:
  static Booked sum(Booked a, const Booked& b) {
    for (const Account account : all_accounts) a.of(account) += b.of(account);
    return a;
  }
  Footprint& note(const Booked& now) {
    if (now.total() > most.total()) most = now;
    return *this;
  }
};

}  // namespace graticule

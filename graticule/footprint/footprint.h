// A ledger of sizes: how many bytes a piece of the program allocates, counted without running it. All files
// of this folder build Footprints, and memory_of_step (step_memory.h) adds them up to a training step.
//
// A *footprint* has two parts: the bytes held at the peak of the piece, and the bytes still held at its end.
// Footprints of consecutive pieces add up: run() appends one to another.
//
// Functions that return a Footprint say what they *leave*: the tensors that are still held at the end.
// Tensors that existed before the piece are not in it.
#pragma once

#include <cstdint>

#include "graticule/core/choices.h"
#include "graticule/core/ledger.h"

namespace graticule {

/// Bytes by account that a piece of work adds to what was held before it. A negative number: the work freed
/// tensors that existed before.
struct Footprint {
  Booked most;  ///< at the moment when the sum of all accounts was largest
  Booked left;  ///< at the end

  /// Allocates `bytes`.
  Footprint& make(Account account, int64_t bytes) {
    left.of(account) += bytes;
    return note(left);
  }
  /// Frees `bytes`.
  Footprint& drop(Account account, int64_t bytes) {
    left.of(account) -= bytes;
    return *this;
  }
  /// Allocates `bytes` and frees as many at once: a temporary tensor, or a new one that replaces an old one.
  Footprint& brief(Account account, int64_t bytes) { return make(account, bytes).drop(account, bytes); }
  /// The same for the account `activations`, the usual one.
  Footprint& make(int64_t bytes) { return make(Account::activations, bytes); }
  Footprint& drop(int64_t bytes) { return drop(Account::activations, bytes); }
  Footprint& brief(int64_t bytes) { return brief(Account::activations, bytes); }
  /// Sets the bytes of an account at the end to `bytes`, by freeing or allocating.
  Footprint& leave(Account account, int64_t bytes) {
    return drop(account, left.of(account)).make(account, bytes);
  }
  /// Runs `part` next.
  Footprint& run(const Footprint& part) {
    note(sum(left, part.most));
    left = sum(left, part.left);
    return *this;
  }
  /// Frees the bytes of `part`.
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

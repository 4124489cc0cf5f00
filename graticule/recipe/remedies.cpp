#include "graticule/recipe/remedies.h"

#include <algorithm>

#include "graticule/core/error.h"

namespace graticule {

namespace {

// Accounts below this share are not worth a change.
constexpr double worth_naming = 0.1;

std::string_view remedy_for(Account account) {
  switch (account) {
    case Account::weights:
      return "parallel.shard = \"full\"";
    case Account::gradients:
      return R"(parallel.shard = "gradients" or "full")";
    case Account::optimizer:
      return R"(parallel.shard = "optimizer" or more, train.moments = "bf16", train.state_in)";
    case Account::activations:
      return "a leaner train.activations (\"recompute_but_attention\", \"recompute\", \"offload\"), then smaller "
             "train.tile_tokens";
    case Account::exchange:
      return "more parallel.head_groups, fewer parallel.gather_heads, with train.activations = \"keep\" also "
             "parallel.keep_exchanged = false";
    case Account::attention:
      return "more parallel.head_groups, fewer parallel.gather_heads";
    case Account::data:
      return "a smaller data.batch";
    case Account::other:
      return "";
  }
  GRATICULE_CHECK(false, "account ", static_cast<int>(account));
}

}  // namespace

std::string leaner_than(const Booked& booked) {
  std::string keys;
  const auto all = static_cast<double>(std::max<int64_t>(1, booked.total()));
  for (const Account account : largest_first(booked)) {
    const std::string_view remedy = remedy_for(account);
    if (static_cast<double>(booked.of(account)) / all < worth_naming || remedy.empty()) continue;
    keys += text(remedy, " (", name_of(account), "), ");
  }
  return keys + "more ranks, or a larger train.memory_gib where the machine has more";
}

}  // namespace graticule

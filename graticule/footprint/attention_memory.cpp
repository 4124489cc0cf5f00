#include "graticule/footprint/attention_memory.h"

#include <algorithm>

#include "graticule/footprint/context_memory.h"

namespace graticule {

namespace {

CallHeads own_heads(const AttentionCall& call) {
  const RankShare& share = call.heads;
  return {call.sizes, share.query_tokens, share.own_queries.size(), share.own_keys.size()};
}

/// The groups of heads of a ulysses call. `own`: for each group the pieces that this rank attends with one
/// after the other; a piece has equally many query heads for each key head. `H`, `G`: query and key heads of
/// each group over all ranks; a key head on several ranks counts once for each.
struct Exchanges {
  const AttentionCall& call;
  std::vector<std::vector<CallHeads>> own;
  std::vector<int64_t> H, G;

  int64_t width(int64_t heads) const { return call.sizes.group(heads * call.sizes.shape.head_dim()); }
  int64_t by_tokens(size_t i, int64_t queries, int64_t keys) const {
    return width(queries * H[i] + keys * G[i]);
  }
  int64_t by_heads(size_t i, int64_t queries, int64_t keys) const {
    int64_t bytes = 0;
    for (const CallHeads& x : own[i]) bytes += queries * x.queries(x.e()) + keys * x.keys(x.N, x.e()) / 2;
    return bytes;
  }
  /// Bytes of dq, dk, dv or out in token layout, all heads.
  int64_t placed(int64_t queries, int64_t keys) const {
    return width(queries * call.heads.queries.size() + keys * call.heads.keys.size());
  }
  /// Whether the outputs of group i are copied into a message.
  bool copies(size_t i) const { return call.sizes.b > 1 || own[i].size() > 1; }
};

std::vector<CallHeads> pieces_of(const CallHeads& like, const Span& queries, const Span& keys,
                                 int64_t queries_a_key) {
  std::vector<CallHeads> pieces;
  for (int64_t key = keys.begin; key < keys.end; ++key) {
    const int64_t its = intersect(queries, {key * queries_a_key, (key + 1) * queries_a_key}).size();
    const bool even = !pieces.empty() && pieces.back().h == its * pieces.back().g;
    if (!even) pieces.push_back({like.s, like.N, 0, 0});
    pieces.back().h += its, pieces.back().g += 1;
  }
  return pieces;
}

Exchanges exchanges_of(const AttentionCall& call) {
  const int64_t U = call.sizes.axes.ulysses;
  int64_t keys = 0, most = 1;
  for (int64_t r = 0; r < U; ++r) {
    const int64_t theirs = heads_of(call.heads, U, r).keys.size();
    keys += theirs, most = std::max(most, theirs);
  }
  const int64_t groups = std::min(call.head_groups, most);
  Exchanges x{call, {}, span_sizes(call.heads.queries.size(), groups), span_sizes(keys, groups)};
  const Span& own = call.heads.own_keys;
  for (int64_t i = 0; i < groups; ++i) {
    const Span part = span_of(own.size(), groups, i);
    x.own.push_back(pieces_of(own_heads(call), call.heads.own_queries,
                              {own.begin + part.begin, own.begin + part.end},
                              call.heads.queries.size() / call.heads.keys.size()));
  }
  return x;
}

Footprint start_exchange(const Exchanges& x, size_t i, int64_t queries, int64_t keys) {
  Footprint f;
  return f.make(Account::exchange, x.by_tokens(i, queries, keys) + x.by_heads(i, queries, keys));
}

CallMemory ulysses_forward(const AttentionCall& call) {
  const Exchanges x = exchanges_of(call);
  const size_t groups = x.own.size();
  CallMemory result;
  const auto place = [&](Footprint& f, size_t i) {
    if (i == 0) f.make(x.placed(1, 0));
    const int64_t sent = x.copies(i) ? x.by_heads(i, 1, 0) : 0;
    f.drop(Account::exchange, x.by_tokens(i, 1, 0) + sent);
    if (!x.copies(i) && !call.keeps_exchanged) f.drop(Account::attention, x.by_heads(i, 1, 0));
  };
  result.start = start_exchange(x, 0, 1, 2);
  Footprint& f = result.attend;
  for (size_t i = 0; i < groups; ++i) {
    if (i + 1 < groups) f.run(start_exchange(x, i + 1, 1, 2));
    f.drop(Account::exchange, x.by_tokens(i, 1, 2));
    for (const CallHeads& piece : x.own[i]) f.run(context_forward(piece).whole());
    if (x.copies(i)) f.make(Account::exchange, x.by_heads(i, 1, 0));
    f.make(Account::exchange, x.by_tokens(i, 1, 0));
    if (!call.keeps_exchanged) f.drop(Account::exchange, x.by_heads(i, 1, 2));
    if (x.copies(i) && !call.keeps_exchanged) f.drop(Account::attention, x.by_heads(i, 1, 0));
    if (i > 0) place(f, i - 1);
  }
  place(result.finish, groups - 1);
  return result;
}

CallMemory ulysses_backward(const AttentionCall& call) {
  const Exchanges x = exchanges_of(call);
  const size_t groups = x.own.size();
  const int64_t queries = call.keeps_exchanged ? 1 : 3, keys = call.keeps_exchanged ? 0 : 2;
  CallMemory result;
  const auto place = [&](Footprint& f, size_t i) {
    if (i == 0) f.make(x.placed(1, 2));
    f.drop(Account::exchange, x.by_heads(i, 1, 2) + x.by_tokens(i, 1, 2));
  };
  result.holds = true;
  result.start = start_exchange(x, 0, queries, keys);
  Footprint& f = result.attend;
  for (size_t i = 0; i < groups; ++i) {
    if (i + 1 < groups) f.run(start_exchange(x, i + 1, queries, keys));
    f.drop(Account::exchange, x.by_tokens(i, queries, keys));
    f.make(Account::exchange, x.by_heads(i, 1, 2));
    for (const CallHeads& piece : x.own[i]) {
      const Footprint inner = context_backward(piece).whole();
      f.run(inner).undo(inner.left);
    }
    f.make(Account::exchange, x.by_tokens(i, 1, 2));
    f.drop(Account::exchange, x.by_heads(i, queries, keys));
    if (i > 0) place(f, i - 1);
  }
  place(result.finish, groups - 1);
  return result;
}

}  // namespace

CallMemory attention_forward(const AttentionCall& call) {
  return call.sizes.axes.ulysses > 1 ? ulysses_forward(call) : context_forward(own_heads(call));
}

CallMemory attention_backward(const AttentionCall& call) {
  return call.sizes.axes.ulysses > 1 ? ulysses_backward(call) : context_backward(own_heads(call));
}

}  // namespace graticule

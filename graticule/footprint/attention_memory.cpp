#include "graticule/footprint/attention_memory.h"

#include <algorithm>

#include "graticule/kernel/flash_aten.h"

namespace graticule {

namespace {

/// The queries and heads of one call of the kernel or of a context method.
struct Heads {
  const PassSizes& s;
  int64_t N, h, g;

  int64_t S() const { return s.shape.grid.tokens(); }
  int64_t e() const { return s.e(); }
  int64_t queries(int64_t element) const { return s.b * N * h * s.shape.head_dim() * element; }
  /// K and V of `tokens`.
  int64_t keys(int64_t tokens, int64_t element) const {
    return 2 * s.b * tokens * g * s.shape.head_dim() * element;
  }
  /// K and V, repeated for each query head.
  int64_t each_head(int64_t tokens) const { return 2 * s.b * tokens * h * s.shape.head_dim() * e(); }
  FlashSizes sizes(int64_t keys) const { return {s.b, N, h, keys, g, s.shape.head_dim()}; }
  int64_t lse() const { return s.b * h * N * fp32_bytes; }
  Heads with(int64_t keys) const { return {s, N, g == 0 ? 0 : keys * h / g, keys}; }
};

// ATen's kernel repeats K and V for each query head. It gives results in q's dtype, which are then converted.
Footprint aten_forward(const Heads& x, const FlashSizes& sizes, int64_t element) {
  const int64_t out = x.queries(x.e()), repeated = x.h == x.g ? 0 : x.each_head(sizes.keys);
  const int64_t scratch = aten_forward_scratch(sizes, x.e(), x.s.scratch.threads);
  Footprint f;
  f.make(Account::attention, out + x.lse()).brief(Account::attention, repeated + scratch);
  return element == x.e() ? f : f.make(Account::attention, x.queries(element)).drop(Account::attention, out);
}

Footprint aten_backward(const Heads& x, const FlashSizes& sizes, int64_t element) {
  const int64_t keys = x.each_head(sizes.keys), out = x.queries(x.e()), made = out + keys;
  const int64_t scratch = aten_backward_scratch(sizes, x.e(), x.s.scratch.threads);
  Footprint f;
  f.make(Account::attention, made).brief(Account::attention, out + (x.h == x.g ? 0 : keys) + scratch);
  if (element == x.e() && x.h == x.g) return f;
  return f.make(Account::attention, x.queries(element) + x.keys(sizes.keys, element))
      .drop(Account::attention, made);
}

bool computes(const Heads& x) { return x.s.scratch.threads > 0 && x.s.b * x.N * x.h > 0; }

Footprint kernel_forward(const Heads& x, int64_t keys, int64_t element) {
  const Scratch& scratch = x.s.scratch;
  const FlashSizes sizes = x.sizes(keys);
  if (computes(x) && !scratch.tiles) return aten_forward(x, sizes, element);
  Footprint f;
  f.make(Account::attention, x.queries(element) + x.lse());
  return computes(x) ? f.brief(Account::attention, forward_scratch(*scratch.tiles, sizes, scratch.threads))
                     : f;
}

Footprint kernel_backward(const Heads& x, int64_t keys, int64_t element) {
  const Scratch& scratch = x.s.scratch;
  const FlashSizes sizes = x.sizes(keys);
  if (computes(x) && !scratch.tiles) return aten_backward(x, sizes, element);
  Footprint f;
  f.make(Account::attention, x.queries(element) + x.keys(keys, element));
  return computes(x) ? f.brief(Account::attention, backward_scratch(*scratch.tiles, sizes, scratch.threads))
                     : f;
}

bool gathers(const PassSizes& s) {
  return s.axes.context > 1 && s.options.parallel.context_method == ContextMethod::lss;
}

// The groups of heads that lss gathers one after the other. While one group attends, the next one is
// gathered.
std::vector<Heads> strides_of(const Heads& x) {
  const int64_t wished = x.s.options.parallel.gather_heads;
  const int64_t together = wished > 0 ? wished : std::max<int64_t>(1, x.g);
  std::vector<Heads> strides;
  for (int64_t first = 0; first < x.g; first += together) {
    strides.push_back(x.with(std::min(together, x.g - first)));
  }
  return strides;
}

Footprint start_gather(const Heads& x) {
  Footprint f;
  return f.make(Account::exchange, x.keys(x.N, x.e())).make(x.keys(x.S(), x.e()));
}

// Starts the gather of stride i + 1, and frees the copy that the gather of stride i was sent from.
void next_gather(Footprint& f, const std::vector<Heads>& strides, size_t i) {
  if (i + 1 < strides.size()) f.run(start_gather(strides[i + 1]));
  f.drop(Account::exchange, strides[i].keys(strides[i].N, strides[i].e()));
}

CallMemory lss_forward(const Heads& x) {
  const std::vector<Heads> strides = strides_of(x);
  CallMemory call;
  if (strides.empty()) return call;
  call.start = start_gather(strides[0]);
  Footprint& f = call.attend;
  for (size_t i = 0; i < strides.size(); ++i) {
    next_gather(f, strides, i);
    f.run(kernel_forward(strides[i], x.S(), x.e()));
    f.drop(strides[i].keys(x.S(), x.e()));
  }
  if (strides.size() == 1) return call;
  f.make(x.queries(x.e()) + x.lse()).drop(Account::attention, x.queries(x.e()) + x.lse());
  return call;
}

// The reduce-scatter of dK|dV ends: only this rank's part of the sums stays.
void take_reduced(Footprint& f, const Heads& x) {
  f.make(x.keys(x.N, x.e()));
  f.drop(Account::exchange, x.keys(x.S(), fp32_bytes) + x.s.axes.context * x.keys(x.N, fp32_bytes));
}

CallMemory lss_backward(const Heads& x) {
  const std::vector<Heads> strides = strides_of(x);
  const bool wide = x.e() < fp32_bytes;
  CallMemory call;
  if (strides.empty()) return call;
  call.start = start_gather(strides[0]);
  Footprint& f = call.attend;
  for (size_t i = 0; i < strides.size(); ++i) {
    const Heads& y = strides[i];
    next_gather(f, strides, i);
    f.run(kernel_backward(y, x.S(), fp32_bytes));
    f.drop(y.keys(x.S(), x.e()));
    if (wide) f.make(y.queries(x.e()));
    if (i > 0) take_reduced(f, strides[i - 1]);
    f.make(Account::exchange, y.keys(x.S(), fp32_bytes));
    f.make(Account::exchange, x.s.axes.context * y.keys(x.N, fp32_bytes));
    f.drop(Account::attention, y.keys(x.S(), fp32_bytes) + (wide ? y.queries(fp32_bytes) : 0));
  }
  take_reduced(call.finish, strides.back());
  call.holds = true;
  if (strides.size() > 1) {
    call.joined.of(Account::activations) = x.queries(x.e()) + x.keys(x.N, x.e());
    call.finish.make(call.joined.total());
  }
  return call;
}

// A block of K|V is received while the rank attends to the block before. Outputs are merged in fp32.
CallMemory ring_forward(const Heads& x) {
  const int64_t steps = x.s.axes.context, block = x.keys(x.N, x.e()), part = x.queries(fp32_bytes) + x.lse();
  CallMemory call;
  Footprint& f = call.attend;
  f.make(Account::exchange, block);
  for (int64_t step = 0; step < steps; ++step) {
    if (step + 1 < steps) f.make(block);
    f.run(kernel_forward(x, x.N, fp32_bytes));
    if (step > 0) f.drop(Account::attention, part);
    f.drop(step == 0 ? Account::exchange : Account::activations, block);
  }
  if (x.e() < fp32_bytes) {
    f.make(x.queries(x.e())).drop(Account::attention, x.queries(fp32_bytes));
  }
  return call;
}

// dK|dV follow their block one step later. A step has three sums: received, added by this rank, and sent.
CallMemory ring_backward(const Heads& x) {
  const int64_t steps = x.s.axes.context, block = x.keys(x.N, x.e()), sum = x.keys(x.N, fp32_bytes);
  CallMemory call;
  Footprint& f = call.attend;
  f.make(Account::exchange, block);
  for (int64_t step = 0; step < steps; ++step) {
    if (step + 1 < steps) f.make(block);
    f.run(kernel_backward(x, x.N, fp32_bytes)).make(Account::exchange, sum);
    f.drop(Account::attention, sum + (step > 0 ? x.queries(fp32_bytes) : 0));
    if (step > 0) f.drop(Account::exchange, sum).drop(sum);
    f.make(sum);
    f.drop(step == 0 ? Account::exchange : Account::activations, block);
  }
  f.drop(Account::exchange, sum).make(block);
  f.make(x.queries(x.e())).drop(Account::attention, x.queries(fp32_bytes));
  f.drop(sum);
  return call;
}

CallMemory local(const Footprint& kernel) { return {.attend = kernel}; }

CallMemory context_forward(const Heads& x) {
  if (gathers(x.s)) return lss_forward(x);
  return x.s.axes.context > 1 ? ring_forward(x) : local(kernel_forward(x, x.N, x.e()));
}

CallMemory context_backward(const Heads& x) {
  if (gathers(x.s)) return lss_backward(x);
  return x.s.axes.context > 1 ? ring_backward(x) : local(kernel_backward(x, x.N, x.e()));
}

Heads own_heads(const AttentionCall& call) {
  const RankShare& share = call.heads;
  return {call.sizes, share.query_tokens, share.own_queries.size(), share.own_keys.size()};
}

/// The groups of heads of a ulysses call. `own`: for each group the pieces that this rank attends with one
/// after the other; a piece has equally many query heads for each key head. `H`, `G`: query and key heads of
/// each group over all ranks; a key head on several ranks counts once for each.
struct Exchanges {
  const AttentionCall& call;
  std::vector<std::vector<Heads>> own;
  std::vector<int64_t> H, G;

  int64_t width(int64_t heads) const { return call.sizes.group(heads * call.sizes.shape.head_dim()); }
  int64_t by_tokens(size_t i, int64_t queries, int64_t keys) const {
    return width(queries * H[i] + keys * G[i]);
  }
  int64_t by_heads(size_t i, int64_t queries, int64_t keys) const {
    int64_t bytes = 0;
    for (const Heads& x : own[i]) bytes += queries * x.queries(x.e()) + keys * x.keys(x.N, x.e()) / 2;
    return bytes;
  }
  /// Bytes of dq, dk, dv or out in token layout, all heads.
  int64_t placed(int64_t queries, int64_t keys) const {
    return width(queries * call.heads.queries.size() + keys * call.heads.keys.size());
  }
  /// Whether the outputs of group i are copied into a message.
  bool copies(size_t i) const { return call.sizes.b > 1 || own[i].size() > 1; }
};

std::vector<Heads> pieces_of(const Heads& like, const Span& queries, const Span& keys,
                             int64_t queries_a_key) {
  std::vector<Heads> pieces;
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
    for (const Heads& piece : x.own[i]) f.run(context_forward(piece).whole());
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
    for (const Heads& piece : x.own[i]) {
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

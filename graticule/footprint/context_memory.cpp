#include "graticule/footprint/context_memory.h"

#include <algorithm>

#include "graticule/kernel/flash_aten.h"

namespace graticule {

namespace {

FlashSizes sizes_of(const CallHeads& x, int64_t keys) { return {x.s.b, x.N, x.h, keys, x.g, x.D()}; }

// K and V of `tokens`, repeated for each query head.
int64_t each_head(const CallHeads& x, int64_t tokens) { return 2 * x.queries(tokens, x.e()); }

// ATen's kernel repeats K and V for each query head; one head is repeated without a copy.
int64_t repeated_keys(const CallHeads& x, int64_t tokens) {
  return x.h == x.g || x.g == 1 ? 0 : each_head(x, tokens);
}

// It gives results in q's dtype, which are then converted.
Footprint aten_forward(const CallHeads& x, const FlashSizes& sizes, int64_t element) {
  const int64_t out = x.queries(x.e()), repeated = repeated_keys(x, sizes.keys);
  const int64_t scratch = aten_forward_scratch(sizes, x.e(), x.s.scratch.threads);
  Footprint f;
  f.make(Account::attention, out + x.lse()).brief(Account::attention, repeated + scratch);
  return element == x.e() ? f : f.make(Account::attention, x.queries(element)).drop(Account::attention, out);
}

Footprint aten_backward(const CallHeads& x, const FlashSizes& sizes, int64_t element) {
  const int64_t keys = each_head(x, sizes.keys), out = x.queries(x.e()), made = out + keys;
  const int64_t scratch = aten_backward_scratch(sizes, x.e(), x.s.scratch.threads);
  Footprint f;
  f.make(Account::attention, made).brief(Account::attention, out + repeated_keys(x, sizes.keys) + scratch);
  if (element == x.e() && x.h == x.g) return f;
  return f.make(Account::attention, x.queries(element) + x.keys(sizes.keys, element))
      .drop(Account::attention, made);
}

bool computes(const CallHeads& x) { return x.s.scratch.threads > 0 && x.s.b * x.N * x.h > 0; }

Footprint kernel_forward(const CallHeads& x, int64_t keys, int64_t element) {
  const Scratch& scratch = x.s.scratch;
  const FlashSizes sizes = sizes_of(x, keys);
  if (computes(x) && !scratch.tiles) return aten_forward(x, sizes, element);
  Footprint f;
  f.make(Account::attention, x.queries(element) + x.lse());
  return computes(x) ? f.brief(Account::attention, forward_scratch(*scratch.tiles, sizes, scratch.threads))
                     : f;
}

Footprint kernel_backward(const CallHeads& x, int64_t keys, int64_t element) {
  const Scratch& scratch = x.s.scratch;
  const FlashSizes sizes = sizes_of(x, keys);
  if (computes(x) && !scratch.tiles) return aten_backward(x, sizes, element);
  Footprint f;
  f.make(Account::attention, x.queries(element) + x.keys(keys, element));
  return computes(x) ? f.brief(Account::attention, backward_scratch(*scratch.tiles, sizes, scratch.threads))
                     : f;
}

// With delta in the place of out. Our tiles take an out of zeros with rows of numbers beside it, three copies of
// them; other kernels take an out with that delta.
Footprint kernel_backward_by_delta(const CallHeads& x, int64_t keys) {
  const int64_t extra = x.s.scratch.tiles ? 3 * x.lse() : x.queries(x.e()) + 2 * x.lse();
  Footprint f;
  return f.make(Account::attention, extra)
      .run(kernel_backward(x, keys, fp32_bytes))
      .drop(Account::attention, extra);
}

// The sums of products dout out in fp32, and copies of both in fp32 to get them.
Footprint delta(const CallHeads& x) {
  Footprint f;
  return f.make(Account::attention, x.lse())
      .brief(Account::attention, (x.e() < fp32_bytes ? 2 : 1) * x.queries(fp32_bytes));
}

CallHeads with_tokens(const CallHeads& x, int64_t tokens) { return {x.s, tokens, x.h, x.g}; }

/// A pass over a grid: one stride of heads with the tokens of this rank, of its column and of its row.
struct GridPass {
  CallHeads x;
  ContextGrid grid;
  GridTokens tokens;

  bool shares_queries() const { return grid.queries > 1; }
  bool shares_keys() const { return grid.keys > 1; }
  bool wide() const { return x.e() < fp32_bytes; }
  CallHeads column() const { return with_tokens(x, tokens.queries); }
  /// K and V as the kernel reads them, and as this rank sends them.
  int64_t all_keys(int64_t element) const { return x.keys(tokens.keys, element); }
  int64_t own_keys(int64_t element) const { return x.keys(x.N, element); }
};

GridPass pass_of(const CallHeads& x, const ContextGrid& grid) {
  return {x, grid, grid_tokens(x.s.shape, x.s.axes, x.s.share, grid)};
}

// The groups of heads that a grid gathers one after the other. While one group attends, the next one is
// gathered.
std::vector<GridPass> strides_of(const GridPass& pass) {
  const CallHeads& x = pass.x;
  const int64_t wished = x.s.options.parallel.gather_heads;
  const int64_t together = wished > 0 ? wished : std::max<int64_t>(1, x.g);
  std::vector<GridPass> strides;
  for (int64_t first = 0; first < x.g; first += together) {
    const int64_t keys = std::min(together, x.g - first);
    strides.push_back({{x.s, x.N, keys * x.h / x.g, keys}, pass.grid, pass.tokens});
  }
  return strides;
}

// Bytes of the messages that a stride gathers with, and of what it gathers. `tensors`: q, or q and dout; with
// these, log-sum-exp and delta.
struct Gathered {
  int64_t sent = 0, received = 0;
};

Gathered gathered_of(const GridPass& pass, int64_t tensors) {
  Gathered bytes;
  if (pass.shares_queries()) {
    const int64_t rows = tensors == 2 ? 2 : 0;
    bytes.sent += tensors * pass.x.queries(pass.x.e()) + rows * pass.x.lse();
    bytes.received += tensors * pass.column().queries(pass.x.e()) + rows * pass.column().lse();
  }
  if (pass.shares_keys()) {
    bytes.sent += pass.own_keys(pass.x.e());
    bytes.received += pass.all_keys(pass.x.e());
  }
  return bytes;
}

// Starts the gathers of a stride.
Footprint start_gathers(const GridPass& pass, int64_t tensors) {
  const Gathered bytes = gathered_of(pass, tensors);
  Footprint f;
  if (pass.shares_queries() && tensors == 2) f.run(delta(pass.x));
  f.make(Account::exchange, bytes.sent).make(bytes.received);
  return f.drop(Account::attention, f.left.of(Account::attention));
}

// Starts the gathers of stride i + 1, and frees the messages of stride i.
void next_gathers(Footprint& f, const std::vector<GridPass>& strides, size_t i, int64_t tensors) {
  if (i + 1 < strides.size()) f.run(start_gathers(strides[i + 1], tensors));
  f.drop(Account::exchange, gathered_of(strides[i], tensors).sent);
}

// Bytes of partial results: an output in fp32 and a log-sum-exp.
int64_t part(const CallHeads& x) { return x.queries(fp32_bytes) + x.lse(); }

// The partial results of a stride have returned: this rank merges its own.
void take_merged(Footprint& f, const GridPass& pass) {
  const CallHeads& x = pass.x;
  f.drop(Account::exchange, part(pass.column()));
  f.make(part(x)).brief(3 * x.lse()).drop(pass.grid.queries * part(x));
  if (pass.wide()) f.make(x.queries(x.e())).drop(x.queries(fp32_bytes));
}

CallMemory grid_forward(const GridPass& pass) {
  const std::vector<GridPass> strides = strides_of(pass);
  CallMemory call;
  if (strides.empty()) return call;
  call.start = start_gathers(strides[0], 1);
  Footprint& f = call.attend;
  for (size_t i = 0; i < strides.size(); ++i) {
    const GridPass& now = strides[i];
    next_gathers(f, strides, i, 1);
    f.run(kernel_forward(now.column(), now.tokens.keys, now.shares_queries() ? fp32_bytes : now.x.e()));
    f.drop(gathered_of(now, 1).received);
    if (!now.shares_queries()) continue;
    if (i > 0) take_merged(f, strides[i - 1]);
    f.make(Account::exchange, part(now.column())).drop(Account::attention, part(now.column()));
    f.make(now.grid.queries * part(now.x));
  }
  if (pass.shares_queries()) take_merged(call.finish, strides.back());
  if (strides.size() > 1) {
    const int64_t result = pass.x.queries(pass.x.e()) + pass.x.lse();
    call.finish.make(result);
    call.finish.drop(pass.shares_queries() ? Account::activations : Account::attention, result);
  }
  return call;
}

// A reduce-scatter ends: only this rank's part of the sums stays. `sent`, `sum` in fp32.
void take_sum(Footprint& f, const GridPass& pass, Account account, int64_t sent, int64_t ranks, int64_t sum) {
  f.make(sum * pass.x.e() / fp32_bytes);
  f.drop(account, sent).drop(Account::exchange, ranks * sum);
}

// A single sample's dq is sent as the kernel made it.
Account dq_account(const CallHeads& x) { return x.s.b == 1 ? Account::attention : Account::exchange; }

void take_dq(Footprint& f, const GridPass& pass) {
  take_sum(f, pass, dq_account(pass.x), pass.column().queries(fp32_bytes), pass.grid.queries,
           pass.x.queries(fp32_bytes));
}

void take_dkv(Footprint& f, const GridPass& pass) {
  take_sum(f, pass, Account::exchange, pass.all_keys(fp32_bytes), pass.grid.keys, pass.own_keys(fp32_bytes));
}

// What is not summed over ranks is rounded at once.
void round_own(Footprint& f, const GridPass& pass, int64_t bytes) {
  if (pass.wide()) f.make(bytes * pass.x.e() / fp32_bytes).drop(Account::attention, bytes);
}

void return_dq(Footprint& f, const std::vector<GridPass>& strides, size_t i) {
  const GridPass& now = strides[i];
  const int64_t bytes = now.column().queries(fp32_bytes);
  if (!now.shares_queries()) return round_own(f, now, bytes);
  if (i > 0) take_dq(f, strides[i - 1]);
  if (now.x.s.b > 1) f.make(Account::exchange, bytes).drop(Account::attention, bytes);
  f.make(Account::exchange, now.grid.queries * now.x.queries(fp32_bytes));
}

void return_dkv(Footprint& f, const std::vector<GridPass>& strides, size_t i) {
  const GridPass& now = strides[i];
  const int64_t bytes = now.all_keys(fp32_bytes);
  if (!now.shares_keys()) return round_own(f, now, bytes);
  if (i > 0) take_dkv(f, strides[i - 1]);
  f.make(Account::exchange, bytes).drop(Account::attention, bytes);
  f.make(Account::exchange, now.grid.keys * now.own_keys(fp32_bytes));
}

CallMemory grid_backward(const GridPass& pass) {
  const std::vector<GridPass> strides = strides_of(pass);
  CallMemory call;
  if (strides.empty()) return call;
  call.start = start_gathers(strides[0], 2);
  Footprint& f = call.attend;
  for (size_t i = 0; i < strides.size(); ++i) {
    const GridPass& now = strides[i];
    next_gathers(f, strides, i, 2);
    f.run(now.shares_queries() ? kernel_backward_by_delta(now.column(), now.tokens.keys)
                               : kernel_backward(now.x, now.tokens.keys, fp32_bytes));
    f.drop(gathered_of(now, 2).received);
    return_dq(f, strides, i);
    return_dkv(f, strides, i);
  }
  if (pass.shares_queries()) take_dq(call.finish, strides.back());
  if (pass.shares_keys()) take_dkv(call.finish, strides.back());
  if (strides.size() > 1) {
    const auto join = [&](bool shared, int64_t bytes) {
      const bool rounded = shared || pass.wide();
      call.finish.make(bytes).drop(rounded ? Account::activations : Account::attention, bytes);
    };
    join(pass.shares_queries(), pass.x.queries(pass.x.e()));
    join(pass.shares_keys(), pass.own_keys(pass.x.e()));
  }
  return call;
}

// A block of K|V is received while the rank attends to the block before. Outputs are merged in fp32.
CallMemory ring_forward(const CallHeads& x) {
  const int64_t steps = x.s.axes.context, block = x.keys(x.N, x.e());
  CallMemory call;
  Footprint& f = call.attend;
  f.make(Account::exchange, block);
  for (int64_t step = 0; step < steps; ++step) {
    if (step + 1 < steps) f.make(block);
    f.run(kernel_forward(x, x.N, fp32_bytes));
    if (step > 0) f.drop(Account::attention, part(x));
    f.drop(step == 0 ? Account::exchange : Account::activations, block);
  }
  if (x.e() < fp32_bytes) {
    f.make(x.queries(x.e())).drop(Account::attention, x.queries(fp32_bytes));
  }
  return call;
}

/// The backward of a ring. `block`: bytes that travel; `sum`: of their gradients, packed in `account`; `home`:
/// of the gradients that stay on the rank. Sums in fp32.
struct RingBackward {
  int64_t block, sum, home;
  Account account;
  Footprint kernel;
};

RingBackward ring_of_keys(const CallHeads& x) {
  return {x.keys(x.N, x.e()), x.keys(x.N, fp32_bytes), x.queries(fp32_bytes), Account::exchange,
          kernel_backward(x, x.N, fp32_bytes)};
}

RingBackward ring_of_queries(const CallHeads& x) {
  return {2 * x.queries(x.e()) + 2 * x.lse(), x.queries(fp32_bytes), x.keys(x.N, fp32_bytes),
          x.s.b == 1 ? Account::attention : Account::activations, kernel_backward_by_delta(x, x.N)};
}

// Gradients follow their block one step later. A step has three sums: received, added by this rank, and sent.
CallMemory ring_backward(const CallHeads& x, bool of_queries) {
  const RingBackward ring = of_queries ? ring_of_queries(x) : ring_of_keys(x);
  const int64_t steps = x.s.axes.context;
  CallMemory call;
  Footprint& f = call.attend;
  f.make(Account::exchange, ring.block);
  if (of_queries) f.run(delta(x)).drop(Account::attention, x.lse());
  for (int64_t step = 0; step < steps; ++step) {
    if (step + 1 < steps) f.make(ring.block);
    f.run(ring.kernel);
    if (ring.account != Account::attention) f.make(ring.account, ring.sum).drop(Account::attention, ring.sum);
    if (step > 0) f.drop(Account::attention, ring.home).drop(ring.account, ring.sum).drop(ring.sum);
    f.make(ring.sum);
    f.drop(step == 0 ? Account::exchange : Account::activations, ring.block);
  }
  f.drop(ring.account, ring.sum).make(ring.sum * x.e() / fp32_bytes);
  f.make(ring.home * x.e() / fp32_bytes).drop(Account::attention, ring.home);
  f.drop(ring.sum);
  return call;
}

bool is_ring(const CallHeads& x) { return x.s.options.parallel.context_method == ContextMethod::ring; }

ContextGrids grids_of(const CallHeads& x) { return context_grids_of(x.s.options, x.s.shape, x.s.axes); }

}  // namespace

CallMemory context_forward(const CallHeads& x) {
  if (x.s.axes.context == 1) return {.attend = kernel_forward(x, x.N, x.e())};
  return is_ring(x) ? ring_forward(x) : grid_forward(pass_of(x, grids_of(x).forward));
}

CallMemory context_backward(const CallHeads& x) {
  if (x.s.axes.context == 1) return {.attend = kernel_backward(x, x.N, x.e())};
  const ContextGrid grid = grids_of(x).backward;
  return is_ring(x) ? ring_backward(x, grid.queries > 1) : grid_backward(pass_of(x, grid));
}

}  // namespace graticule

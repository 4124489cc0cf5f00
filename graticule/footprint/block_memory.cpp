// Legend: layer_memory.h; H, G this rank's query and key heads, X = (H + 2 G) D width of q | k | v,
//         I this rank's hidden units of the MLP.

#include "graticule/footprint/block_memory.h"

#include <algorithm>

#include "graticule/footprint/attention_memory.h"

namespace graticule {

namespace {

struct Widths {
  int64_t C, H, G, X, I;   ///< H, G: widths of all query and of all key heads
  int64_t W;               ///< rows of the projection to them
  int64_t queries, heads;  ///< numbers of query heads and of all heads without values
  int64_t own;             ///< weights of these heads besides the projection (model/query_key.h)

  /// Weights that the gradient of the projection has.
  int64_t weights() const { return W * (C + 1) + own; }
};

Widths widths_of(const PassSizes& s, const RankShare& heads) {
  const int64_t D = s.shape.head_dim(), H = heads.queries.size() * D, G = heads.keys.size() * D;
  const int64_t queries = heads.queries.size(), keys = heads.keys.size();
  return {s.C(),
          H,
          G,
          H + 2 * G,
          s.share.hidden.size(),
          s.shape.projection_rows(queries, keys),
          queries,
          queries + keys,
          s.shape.query_key_parameters(queries, keys)};
}

// Attention has heads in the order samples first. Hidden units of the MLP have the order that their layer
// makes.
Layer qkv_layer(const Widths& w) { return {Layer::Cut::column, w.C, w.W, true}; }
Layer out_layer(const Widths& w) { return {Layer::Cut::row, w.H, w.C, true}; }
Layer fc1_layer(const Widths& w) { return {Layer::Cut::column, w.C, w.I, false}; }
Layer fc2_layer(const Widths& w) { return {Layer::Cut::row, w.I, w.C, false}; }

/// Whether autograd records. If it does, the tensors that derivatives need stay.
enum class Saves { no, yes };

// Bytes of a norm's output, and of the mean and deviation of each row.
int64_t norm(const PassSizes& s) { return s.mine(s.C() + 2); }

int64_t if_saved(Saves saves, int64_t bytes) { return saves == Saves::yes ? 0 : bytes; }

bool is_cosine(const PassSizes& s) { return s.shape.qk_norm == QkNorm::cosine; }

// Bytes of one fp32 number for each token, query head and key head.
int64_t lengths(const PassSizes& s, const Widths& w) {
  return is_cosine(s) ? s.b * s.T * w.heads * fp32_bytes : 0;
}

// The moments of model/query_key. The CPU has the waves of place in fp32 and, in backward, sums of each part of the
// rows. A GPU has the waves, the features that turn and, in backward, the product of a gradient and its value.
Footprint query_key_scratch(const PassSizes& s, const Widths& w, bool backward) {
  const int64_t waves = s.shape.place == PlaceForm::added ? 0 : s.shape.waves().count();
  const int64_t content = w.queries * s.shape.content_dim();
  Footprint f;
  if (s.scratch.threads > 0) {
    const int64_t parts = std::max(s.b * s.shape.embedded_variables(), std::min<int64_t>(64, s.b * s.T / 64));
    const int64_t sums = backward ? parts * (w.W - w.G + w.queries) : 0;
    return f.brief(3 * s.T * waves * fp32_bytes).brief((2 * s.T * waves + sums) * fp32_bytes);
  }
  if (is_cosine(s) && backward) f.brief(s.group(content));
  return f.brief(6 * s.T * waves * s.e() + s.group(2 * w.queries * waves));
}

/// The projection -> q | k | v in their form. Saved: the lengths.
Footprint query_key_forward(const PassSizes& s, const Widths& w, Saves saves) {
  Footprint f;
  f.make(s.group(w.X)).run(query_key_scratch(s, w, false)).make(lengths(s, w));
  return f.drop(if_saved(saves, lengths(s, w))).drop(s.group(w.W));
}

/// x -> q | k | v. Saved: the norm's output and, if q and k have layer norms, q | k | v before these.
Footprint projection_forward(const PassSizes& s, const Widths& w, Saves saves) {
  Footprint f;
  f.make(norm(s)).run(linear_forward(s, qkv_layer(w)));
  f.drop(if_saved(saves, norm(s)));
  if (s.shape.shapes_queries()) return f.run(query_key_forward(s, w, saves));
  if (s.shape.qk_norm == QkNorm::none) return f;
  for (const int64_t part : {w.H, w.G}) {
    f.make(s.group(part)).brief(s.group(part));
  }
  f.make(s.group(w.X)).drop(s.group(w.H + w.G));
  return f.drop(if_saved(saves, s.group(w.X)));
}

/// dq | dk | dv (from the caller) -> the gradient of x. Frees everything that forward saved, and `freed`
/// bytes as soon as they are not needed: dq | dk | dv and what the caller kept for them.
Footprint projection_backward(const PassSizes& s, const Widths& w, int64_t freed) {
  Footprint f;
  if (s.shape.shapes_queries()) {
    f.make(s.group(w.W)).run(query_key_scratch(s, w, true)).drop(lengths(s, w) + freed);
    f.run(linear_backward(s, qkv_layer(w))).drop(s.done(s.group(w.W)));
    return f.make(s.mine(w.C)).drop(s.mine(w.C) + s.done(norm(s)));
  }
  const bool layer_norm = s.shape.qk_norm == QkNorm::layer;
  if (layer_norm) {  // the gradients of both norms and of v are joined
    f.make(s.group(w.H + w.G)).brief(2 * s.group(w.G)).make(s.group(w.X)).drop(s.group(w.H + w.G));
    f.drop(s.group(w.X));  // q | k | v before the norms
  }
  f.run(linear_backward(s, qkv_layer(w)));
  if (layer_norm) f.drop(s.group(w.X));
  return f.make(s.mine(w.C)).drop(s.mine(w.C) + s.done(norm(s)) + s.done(freed));
}

/// x1 -> the MLP's branch. Saved: the norm's output, the hidden units before and after GELU.
Footprint mlp_forward(const PassSizes& s, const Widths& w, Saves saves) {
  Footprint f;
  f.make(norm(s)).run(linear_forward(s, fc1_layer(w)));
  f.drop(if_saved(saves, norm(s)));
  f.make(s.group(w.I)).drop(if_saved(saves, s.group(w.I)));
  f.run(linear_forward(s, fc2_layer(w)));
  return f.drop(if_saved(saves, s.group(w.I)));
}

/// The branch's gradient (from the caller) -> that of x1. Frees everything that forward saved.
Footprint mlp_backward(const PassSizes& s, const Widths& w) {
  Footprint f;
  f.run(linear_backward(s, fc2_layer(w))).drop(s.done(s.group(w.I)));
  f.make(s.group(w.I)).drop(2 * s.group(w.I));
  f.run(linear_backward(s, fc1_layer(w))).drop(s.done(s.group(w.I)));
  return f.make(s.mine(w.C)).drop(s.mine(w.C) + s.done(norm(s)));
}

BlockParameters parameters_of(const PassSizes& s) { return parameters_of_block(1, s.share, s.shape, s.axes); }

AttentionCall call_of(const PassSizes& s, const RankShare& heads, bool lean) {
  const ParallelOptions& p = s.options.parallel;
  return {s, heads, lean ? 1 : p.head_groups, !lean && p.keep_exchanged};
}

/// The deferred weight gradients, layer by layer in the order of backward. Each frees the tensors that waited
/// for it.
Footprint deferred_weights(const PassSizes& s, const Widths& w) {
  Footprint f;
  for (const Layer& layer : {fc2_layer(w), fc1_layer(w), out_layer(w), qkv_layer(w)}) {
    f.run(linear_weights(s, layer)).drop(linear_deferred(s, layer));
  }
  return f.drop(2 * (norm(s) - s.mine(w.C)));
}

}  // namespace

BlockMemory kept_block(const PassSizes& s) {
  const Widths w = widths_of(s, s.share);
  const AttentionCall call = call_of(s, s.share, false);
  const bool by_heads = s.axes.ulysses > 1 && call.keeps_exchanged;
  const int64_t formed = is_cosine(s) ? s.group(w.X) : 0;  // q | k | v, kept for the derivative of their form
  const int64_t qkv = by_heads || formed > 0 ? 0 : s.group(w.X);
  const Footprint attended = attention_forward(call).whole();
  BlockMemory block;
  block.output = block.input_gradient = s.mine(w.C);

  Footprint& f = block.forward;
  f.run(projection_forward(s, w, Saves::yes)).run(attended).drop(by_heads ? s.group(w.X) - formed : 0);
  f.run(linear_forward(s, out_layer(w))).make(s.mine(w.C));  // x1
  f.run(mlp_forward(s, w, Saves::yes)).make(block.output);
  f.drop(2 * s.mine(w.C));  // the branches

  Footprint& d = block.backward;
  d.run(mlp_backward(s, w)).brief(s.mine(w.C));
  d.drop(s.mine(w.C));  // x1
  d.run(linear_backward(s, out_layer(w)));
  const Footprint attention = attention_backward(call).whole();
  d.run(attention).drop(s.group(w.H)).undo(attended.left).drop(qkv);
  d.make(s.waits(s.group(w.H)));
  d.make(s.group(w.X)).undo(attention.left);  // the gradients of q, k and v are joined
  d.run(projection_backward(s, w, s.group(w.X) + formed));
  d.make(s.mine(w.C)).drop(s.mine(w.C) + s.done(s.mine(w.C)));
  d.make(s.waits(s.mine(w.C)));  // the output's gradient
  if (s.defers) block.weights = deferred_weights(s, w);
  const BlockParameters n = parameters_of(s);
  Footprint& all = s.defers ? block.weights : d;
  all.leave(Account::gradients, (n.whole + n.cut) * s.e());
  return block;
}

namespace {

/// Tiles of tokens: their number, and the sizes of one.
struct Tiles {
  int64_t count;
  PassSizes one;
};

Tiles tiles_of(const PassSizes& s, int64_t most_tokens) {
  const int64_t tile = s.options.train.tile_tokens,
                count = std::max<int64_t>(1, (most_tokens + tile - 1) / tile);
  PassSizes one = s;
  one.t = (s.t + count - 1) / count, one.T = (s.T + count - 1) / count;
  return {count, one};
}

/// Runs `tile` for all tiles. The result of each, `result` bytes, is copied into one tensor of `whole` bytes.
Footprint tiled_forward(const Tiles& tiles, const Footprint& tile, int64_t result, int64_t whole) {
  Footprint f;
  if (tiles.count == 1) return f.run(tile);
  return f.make(whole).run(tile).drop(result);
}

/// Runs `tile`, a forward and its backward, for all tiles. Each leaves the gradients of `elements` weights;
/// these are summed, in fp32 from the second tile on.
Footprint tiled_backward(const Tiles& tiles, const Footprint& tile, int64_t elements) {
  const int64_t e = tiles.one.e(), sum = elements * fp32_bytes;
  Footprint f;
  f.run(tile);
  if (tiles.count == 1) return f;
  if (e < fp32_bytes) f.run(tile).make(Account::gradients, sum).drop(Account::gradients, 2 * elements * e);
  return f.run(tile).drop(Account::gradients, elements * e);
}

struct Lean {
  const PassSizes& s;
  Tiles tiles;
  std::vector<RankShare> groups;

  bool alone() const { return groups.size() == 1; }
  /// Bytes of a copy of a group's rows of the projection's weights; none if the group has all heads.
  int64_t rows(const Widths& w) const { return alone() ? 0 : w.weights() * s.e(); }
};

Lean lean_of(const PassSizes& s) {
  const int64_t most = (s.T + s.axes.tensor - 1) / s.axes.tensor;
  return {s, tiles_of(s, most), head_group_shares(s.share, s.options, s.shape, s.axes)};
}

Footprint project(const Lean& lean, size_t group) {
  const Widths w = widths_of(lean.s, lean.groups[group]);
  Footprint f;
  f.make(lean.rows(w));
  f.run(tiled_forward(lean.tiles, projection_forward(lean.tiles.one, w, Saves::no), lean.tiles.one.group(w.X),
                      lean.s.group(w.X)));
  return f.drop(lean.rows(w));
}

int64_t qkv(const Lean& lean, size_t group) { return lean.s.group(widths_of(lean.s, lean.groups[group]).X); }

/// Attention over all groups of heads. Leaves its output and log-sum-exps.
Footprint attend(const Lean& lean) {
  const size_t groups = lean.groups.size();
  const int64_t H = widths_of(lean.s, lean.s.share).H;
  std::vector<CallMemory> calls;
  for (const RankShare& heads : lean.groups) calls.push_back(attention_forward(call_of(lean.s, heads, true)));
  Footprint f;
  const auto take = [&](size_t i) {
    f.run(calls[i].finish).drop(qkv(lean, i));
    if (lean.alone()) return;
    if (i == 0) f.make(lean.s.group(H));
    const int64_t part = lean.s.group(widths_of(lean.s, lean.groups[i]).H);
    f.drop(calls[i].all().of(Account::activations) >= part ? Account::activations : Account::attention, part);
  };
  f.run(project(lean, 0)).run(calls[0].start);
  for (size_t i = 0; i < groups; ++i) {
    if (i + 1 < groups) f.run(project(lean, i + 1)).run(calls[i + 1].start);
    f.run(calls[i].attend);
    if (i > 0) take(i - 1);
  }
  take(groups - 1);
  return f;
}

/// The output projection: x and attention's output -> x1.
Footprint after_attention(const Lean& lean) {
  const PassSizes& tile = lean.tiles.one;
  const Widths w = widths_of(lean.s, lean.s.share);
  Footprint f;
  f.run(linear_forward(tile, out_layer(w))).make(tile.mine(w.C));
  f.drop(tile.mine(w.C));
  return tiled_forward(lean.tiles, f, tile.mine(w.C), lean.s.mine(w.C));
}

Footprint lean_mlp_backward(const Lean& lean) {
  const PassSizes& tile = lean.tiles.one;
  const Widths w = widths_of(lean.s, lean.s.share);
  Footprint f;
  f.run(mlp_forward(tile, w, Saves::yes)).brief(tile.mine(w.C));
  f.run(mlp_backward(tile, w)).make(tile.mine(w.C)).drop(3 * tile.mine(w.C));
  return tiled_backward(lean.tiles, f, 2 * w.C * w.I + w.I + w.C);
}

/// Concatenates dq, dk and dv of a group. Then recomputes its q | k | v from x, and runs backward to the
/// gradient of x.
Footprint group_backward(const Lean& lean, size_t group, const CallMemory& call) {
  const PassSizes& tile = lean.tiles.one;
  const Widths w = widths_of(lean.s, lean.groups[group]);
  Footprint one;
  one.run(projection_forward(tile, w, Saves::yes)).run(projection_backward(tile, w, 0));
  one.drop(tile.group(w.X) + tile.mine(w.C));
  Footprint f;
  f.make(lean.s.group(w.X)).undo(call.dropped()).make(lean.rows(w));
  if (lean.alone()) {
    f.run(tiled_backward(lean.tiles, one, w.weights()));
  } else {  // each tile is added to its rows of the sums at once
    f.run(one).drop(Account::gradients, one.left.of(Account::gradients));
  }
  f.drop(lean.rows(w) + lean.s.group(w.X)).undo(call.all());
  return f.run({call.dropped(), call.dropped()});
}

/// The attention branch. The caller frees attention's output and log-sum-exps afterwards.
Footprint lean_attention_backward(const Lean& lean) {
  const PassSizes& s = lean.s;
  const Widths w = widths_of(s, s.share);
  const size_t groups = lean.groups.size();
  std::vector<CallMemory> calls;
  for (const RankShare& heads : lean.groups) calls.push_back(attention_backward(call_of(s, heads, true)));
  Footprint f, merging;
  merging.brief(lean.tiles.one.mine(w.C));
  merging.run(linear_backward(lean.tiles.one, out_layer(w)));
  merging.drop(lean.tiles.one.group(w.H));
  f.make(s.group(w.H)).run(tiled_backward(lean.tiles, merging, w.C * (w.H + 1)));
  const bool exchanges = s.axes.ulysses > 1;  // the exchange has copied q, k, v, so they are freed
  const auto start = [&](size_t i) {
    f.run(project(lean, i)).run(calls[i].start).drop(exchanges ? qkv(lean, i) : 0);
  };
  const auto take = [&](size_t i) {
    f.run(calls[i].finish);
    if (!lean.alone() && i == 0) f.make(Account::gradients, w.weights() * fp32_bytes);
    f.run(group_backward(lean, i, calls[i]));
  };
  start(0);
  for (size_t i = 0; i < groups; ++i) {
    if (i + 1 < groups) start(i + 1);
    f.run(calls[i].attend).drop(exchanges ? 0 : qkv(lean, i));
    if (i > 0) take(i - 1);
  }
  take(groups - 1);
  return f.drop(s.group(w.H));
}

}  // namespace

BlockMemory lean_block(const PassSizes& s, Activations policy) {
  const Lean lean = lean_of(s);
  const Widths w = widths_of(s, s.share);
  const PassSizes& tile = lean.tiles.one;
  const Footprint attended = attend(lean), again = after_attention(lean);
  const bool twice = policy == Activations::recompute;
  BlockMemory block;
  block.output = s.mine(w.C);

  Footprint& f = block.forward;
  Footprint mlp;
  mlp.run(mlp_forward(tile, w, Saves::no)).brief(tile.mine(w.C));
  f.run(attended).run(again);
  if (twice) f.undo(attended.left);
  f.run(tiled_forward(lean.tiles, mlp, tile.mine(w.C), block.output)).drop(s.mine(w.C));
  if (!twice) block.kept = attended.left;

  Footprint& d = block.backward;
  if (twice) d.run(attended);
  d.run(again).run(lean_mlp_backward(lean)).drop(s.mine(w.C));
  d.run(lean_attention_backward(lean));
  const BlockParameters n = parameters_of(s);
  const int64_t fresh = (n.whole + n.cut) * s.e();
  d.leave(Account::gradients, fresh);
  d.undo(attended.left);
  return block;
}

}  // namespace graticule

// The bytes of tokenizer and head. The formulas follow model/{tokenizer,head} and parallel/tiles.
//
// Legend: layer_memory.h; K variables a token carries, V all variables, p pixels of a patch, I input values
// of a variable of a token.

#include <algorithm>

#include "graticule/footprint/block_memory.h"
#include "graticule/recipe/passes.h"

namespace graticule {

namespace {

/// Forward (`run`) and backward (`derivative`) over some tokens. Backward leaves the gradients of the weights
/// and frees everything that forward saved.
struct EndSizes {
  Footprint run, derivative;
  int64_t output, saved;
  Footprint weights = {};  ///< the weight gradients of deferred layers
};

// The bytes of `each` values (p or I) of every variable of every token.
int64_t values(const PassSizes& s, int64_t each, int64_t element) {
  return s.b * s.t * s.shape.grid.variables_per_token() * each * element;
}

// The aggregation of variables: one query for each patch attends to the tokens of all V variables there.
// Tensors: x, k, v of each variable, k * q and v * weight. x is not contiguous (variable by variable), so
// linear layers copy it.
void aggregate(const PassSizes& s, EndSizes& end) {
  const int64_t V = s.shape.grid.variables, wide = s.mine(V * s.C()), rows = s.b * s.t * V;
  Footprint& f = end.run;
  f.make(2 * wide).drop(wide);
  for (int i = 0; i < 2; ++i) {
    f.make(wide).run(plain_forward(s, rows, s.C(), s.C())).drop(wide);
  }
  f.brief(wide).brief(wide);
  f.run(plain_forward(s, s.b * s.t, s.C(), s.C())).make(s.mine(s.C()));
  end.saved += 3 * wide + s.mine(s.C());
  Footprint& d = end.derivative;
  d.run(plain_backward(s, s.b * s.t, s.C(), s.C())).drop(s.mine(s.C()));
  d.brief(2 * wide);  // gradients of v and of its weights, then of v
  d.run(plain_backward(s, rows, s.C(), s.C(), true, wide)).drop(wide);
  d.brief(2 * wide);  // gradients of k and of q, then of k
  d.run(plain_backward(s, rows, s.C(), s.C(), true, wide)).drop(wide);
  d.drop(3 * wide + s.mine(s.C()));
}

// Tokens of `bytes` bytes that are spread anew over the ranks of a sample (parallel/token_exchange): with several
// samples they are copied to the order tokens first, and back.
void exchange(const PassSizes& s, Footprint& f, int64_t bytes) {
  if (s.axes.sequence() * s.axes.tensor > 1) f.brief(s.b > 1 ? 2 * bytes : bytes);
}

/// The sums of model/place_sums: what each token adds to its place, and the sums of all places in fp32.
struct PlaceSums {
  int64_t cast, part, sums;
  bool spread;
};

PlaceSums place_sums(const PassSizes& s) {
  const TokenGrid& grid = s.shape.grid;
  return {s.e() < fp32_bytes ? values(s, grid.inputs(), s.e()) : 0, s.mine(s.C()),
          s.b * grid.places() * s.C() * fp32_bytes, s.axes.sequence() * s.axes.tensor > 1};
}

// The sum over places of `part` bytes, which leaves as many.
void sum_over_places(Footprint& f, const PlaceSums& p) {
  f.make(p.sums);
  if (p.spread) f.brief(p.sums);
  f.make(p.part).drop(p.sums);
}

// What each token adds to its place. Its derivative frees the gradient too.
EndSizes part_run(const PassSizes& s) {
  const PlaceSums p = place_sums(s);
  EndSizes part{{}, {}, p.part, p.cast};
  part.run.make(p.cast).make(2 * p.part).drop(p.part);
  part.derivative.run(plain_backward(s, s.b * s.t, s.shape.grid.inputs(), s.C(), false))
      .drop(p.part + p.cast);
  return part;
}

// The sums run after the tokens are embedded, and their derivative before theirs.
void add_place_sums(const PassSizes& s, EndSizes& end) {
  if (!s.shape.adds_merged()) return;
  const PlaceSums p = place_sums(s);
  const EndSizes part = part_run(s);
  end.run.run(part.run);
  sum_over_places(end.run, p);
  end.run.drop(p.part).make(p.part).drop(2 * p.part);
  end.saved += part.saved;
  Footprint d;
  sum_over_places(d, p);
  end.derivative = d.run(part.derivative).run(end.derivative);
}

EndSizes embed_run(const PassSizes& s) {
  const TokenGrid& grid = s.shape.grid;
  const int64_t x = s.mine(s.C()), cast = s.e() < fp32_bytes ? values(s, grid.inputs(), s.e()) : 0,
                rows = s.b * s.t, picked = s.masked() ? values(s, grid.inputs(), fp32_bytes) : 0;
  EndSizes end{{}, {}, x, cast > 0 ? cast : picked};
  end.run.make(picked).make(cast).drop(cast > 0 ? picked : 0);
  if (grid.mode == TokenMode::aggregated) aggregate(s, end);
  if (grid.mode == TokenMode::channels) {
    end.run.run(plain_forward(s, rows, grid.variables * grid.inputs(), s.C()));
    end.derivative.run(plain_backward(s, rows, grid.variables * grid.inputs(), s.C(), false));
  }
  if (grid.mode == TokenMode::full) {
    end.run.make(2 * x).drop(x);
    end.derivative.run(plain_backward(s, rows, grid.inputs(), s.C(), false));
  }
  const int64_t places = s.t * s.C() * s.e();
  end.run.make(2 * places).drop(places).make(2 * x);
  end.run.drop(2 * x + places);
  end.derivative.drop(cast > 0 ? cast : picked);
  return end;
}

EndSizes tokenizer_run(const PassSizes& s) {
  const int64_t x = s.mine(s.C());
  EndSizes end = embed_run(s);
  add_place_sums(s, end);
  if (!s.masked()) return end;
  exchange(s, end.run, x);
  Footprint back;  // the gradient of what was exchanged
  exchange(s, back.make(s.axes.sequence() * s.axes.tensor > 1 ? x : 0), s.b > 1 ? x : 0);
  end.derivative = back.run(end.derivative).drop(s.axes.sequence() * s.axes.tensor > 1 ? x : 0);
  return end;
}

// A decoder's entry: norm and projection of this rank's share of the visible tokens, an exchange, and the learned token
// in each hidden place.
EndSizes entry_run(const PassSizes& s) {
  const EntryShape& entry = s.shape.entry;
  const bool full = s.shape.grid.mode == TokenMode::full;
  const int64_t rows = s.b * s.t * entry.tokens / s.shape.grid.tokens(), narrow = rows * s.C() * s.e(),
                normed = rows * (entry.dim + 2) * s.e(), x = s.mine(s.C()), one = s.t * s.C() * s.e();
  EndSizes end{{}, {}, x, normed};
  Footprint& f = end.run;
  f.make(normed).run(plain_forward(s, rows, entry.dim, s.C()));
  exchange(s, f, narrow);
  f.make(x).drop(narrow);
  if (full) f.make(one).make(x).drop(x + one);
  f.make(2 * one).drop(one).make(x).drop(x + one);
  Footprint& d = end.derivative;
  if (full) d.brief(one);
  d.make(x).make(narrow).drop(x);  // hidden places, and visible ones
  exchange(s, d, narrow);
  d.run(plain_backward(s, rows, entry.dim, s.C())).drop(narrow);
  d.make(rows * entry.dim * s.e()).drop(rows * entry.dim * s.e() + normed);
  return end;
}

EndSizes head_run(const PassSizes& s) {
  const TokenGrid& grid = s.shape.grid;
  const int64_t x = s.mine(s.C()), rows = s.b * s.t, normed = s.mine(s.C() + 2);
  const int64_t width = s.shape.outputs() * s.shape.output_values(), out = rows * width * s.e();
  EndSizes end{{}, {}, rows * width * fp32_bytes, normed + 2 * s.shape.head_layers * x};
  Footprint& f = end.run;
  f.make(normed);
  for (int64_t i = 0; i < s.shape.head_layers; ++i) {
    f.run(plain_forward(s, rows, s.C(), s.C())).make(x);
  }
  f.run(plain_forward(s, rows, s.C(), width));
  const bool each = grid.mode == TokenMode::full, cast = s.e() < fp32_bytes;
  if (each) f.brief(out);
  if (cast) f.make(end.output).drop(out);
  Footprint& d = end.derivative;
  // Backward of one layer. Leaves the gradient of its input. Frees the gradient of its output (`dy` bytes)
  // and its input (x bytes).
  const auto layer = [&](int64_t columns, int64_t dy, bool defers) {
    if (!defers) {
      d.run(plain_backward(s, rows, s.C(), columns)).drop(dy + x);
      return;
    }
    d.run(product_memory(s, Account::activations, rows, columns, s.C(), Turned::neither));
    end.weights.run(plain_backward(s, rows, s.C(), columns, false)).drop(dy + x);
  };
  d.make(cast ? out : 0);
  layer(width, cast ? out : 0, s.defers && !each);
  if (each) d.brief(2 * x);  // the gradients of each variable are padded to all tokens and summed
  for (int64_t i = 0; i < s.shape.head_layers; ++i) {
    d.make(x).drop(2 * x);  // GELU
    layer(s.C(), x, s.defers);
  }
  d.make(x).drop(normed);  // x bytes of it were freed with the last layer
  return end;
}

// A block without tiles: under a policy other than `keep` it runs again in backward, under autograd (parallel/chain).
BlockMemory whole_block(const PassSizes& s, Activations policy, const EndSizes& whole,
                        int64_t input_gradient) {
  BlockMemory block;
  block.output = whole.output, block.input_gradient = input_gradient;
  block.forward.run(whole.run).drop(is_lean(policy) ? whole.saved : 0);
  if (is_lean(policy)) block.backward.run(whole.run);
  block.backward.run(whole.derivative).drop(is_lean(policy) ? whole.output : 0);
  block.backward.leave(Account::gradients, tokenizer_parameters(s.shape) * s.e());
  return block;
}

// Place sums by `count` tiles like `tile`, after the forward of the tokenizer and before its backward.
void lean_place_sums(const PassSizes& s, const EndSizes& tile, int64_t count, BlockMemory& block) {
  const PlaceSums p = place_sums(s);
  Footprint &f = block.forward, &d = block.backward;
  if (count > 1) f.make(p.part);
  f.run(tile.run).drop(tile.saved + (count > 1 ? tile.output : 0));
  sum_over_places(f, p);
  f.drop(2 * p.part);
  sum_over_places(d, p);
  d.run(tile.run).run(tile.derivative);
  d.leave(Account::gradients, s.shape.grid.variables * s.C() * s.shape.grid.inputs() * s.e());
  d.drop(p.part);
}

BlockMemory end_block(const PassSizes& s, Activations policy, bool head, int64_t elements) {
  const auto run = [head](const PassSizes& sizes) { return head ? head_run(sizes) : embed_run(sizes); };
  const EndSizes whole = head ? head_run(s) : tokenizer_run(s);
  BlockMemory block;
  block.output = whole.output, block.input_gradient = head ? s.mine(s.C()) : 0;
  Footprint& d = block.backward;
  if (!is_lean(policy)) {
    block.forward = whole.run;
    d.run(whole.derivative);
    block.weights = whole.weights;
    Footprint& last = s.defers && head ? block.weights : d;
    last.leave(Account::gradients, elements * s.e());
    return block;
  }
  const int64_t tile = s.options.train.tile_tokens, count = std::max<int64_t>(1, (s.t + tile - 1) / tile);
  PassSizes one = s;
  one.t = (s.t + count - 1) / count;
  const EndSizes part = run(one);
  Footprint& f = block.forward;
  if (count > 1) f.make(whole.output);
  f.run(part.run).drop(part.saved + (count > 1 ? part.output : 0));
  if (!head && s.shape.adds_merged()) lean_place_sums(s, part_run(one), count, block);
  d.make(block.input_gradient);
  for (int64_t i = 0; i < std::min<int64_t>(2, count); ++i) {
    d.run(part.run).run(part.derivative).drop(part.output + (head ? one.mine(s.C()) : 0));
    if (i == 0) d.leave(Account::gradients, elements * (count > 1 ? fp32_bytes : s.e()));
  }
  d.leave(Account::gradients, elements * s.e());
  return block;
}

}  // namespace

BlockMemory entry_block(const PassSizes& s, Activations policy) {
  const EntryShape& entry = s.shape.entry;
  const int64_t rows = s.b * s.t * entry.tokens / s.shape.grid.tokens();
  return whole_block(s, policy, entry_run(s), rows * entry.dim * s.e());
}

BlockMemory tokenizer_block(const PassSizes& s, Activations policy) {
  if (s.masked()) return whole_block(s, policy, tokenizer_run(s), 0);
  return end_block(s, policy, false, tokenizer_parameters(s.shape));
}

BlockMemory head_block(const PassSizes& s, Activations policy) {
  return end_block(s, policy, true, head_parameters(s.shape));
}

}  // namespace graticule

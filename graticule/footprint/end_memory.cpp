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

EndSizes tokenizer_run(const PassSizes& s) {
  const TokenGrid& grid = s.shape.grid;
  const int64_t x = s.mine(s.C()), cast = s.e() < fp32_bytes ? values(s, grid.inputs(), s.e()) : 0,
                rows = s.b * s.t;
  EndSizes end{{}, {}, x, cast};
  end.run.make(cast);
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
  end.derivative.drop(cast);
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

BlockMemory end_block(const PassSizes& s, Activations policy, bool head, int64_t elements) {
  const auto run = [head](const PassSizes& sizes) { return head ? head_run(sizes) : tokenizer_run(sizes); };
  const EndSizes whole = run(s);
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
  d.make(block.input_gradient);
  for (int64_t i = 0; i < std::min<int64_t>(2, count); ++i) {
    d.run(part.run).run(part.derivative).drop(part.output + (head ? one.mine(s.C()) : 0));
    if (i == 0) d.leave(Account::gradients, elements * (count > 1 ? fp32_bytes : s.e()));
  }
  d.leave(Account::gradients, elements * s.e());
  return block;
}

}  // namespace

BlockMemory tokenizer_block(const PassSizes& s, Activations policy) {
  return end_block(s, policy, false, tokenizer_parameters(s.shape));
}

BlockMemory head_block(const PassSizes& s, Activations policy) {
  return end_block(s, policy, true, head_parameters(s.shape));
}

}  // namespace graticule

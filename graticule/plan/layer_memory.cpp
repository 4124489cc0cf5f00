#include "graticule/plan/layer_memory.h"

#include <algorithm>

namespace graticule {

namespace {

constexpr int64_t fp32_bytes = 4;
// Of matrix_product: B whole, A 192 rows at a time, both in panels.
constexpr int64_t most_inner = 8192, fewest = 16, panel = 16, depth = 128, left_rows = 192;

int64_t rounded(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

// Columns or rows first: with several samples the wire wants tokens first, which takes a copy.
int64_t if_several(const PassSizes& s, int64_t bytes) { return s.b > 1 ? bytes : 0; }

// dy [rows, out] x [rows, in].
Footprint weight_gradient(const PassSizes& s, int64_t rows, int64_t in, int64_t out) {
  return product_memory(s, Account::gradients, out, rows, in);
}

// The sum of dy over its rows, on the CPU of a wide copy.
Footprint bias_gradient(const PassSizes& s, int64_t rows, int64_t out) {
  Footprint f;
  if (s.e() < fp32_bytes && s.scratch.threads > 0) f.brief(Account::gradients, rows * out * fp32_bytes);
  return f.make(Account::gradients, out * s.e());
}

Footprint column_backward(const PassSizes& s, int64_t in, int64_t out) {
  const int64_t P = s.axes.tensor, dy = if_several(s, s.group(out));
  Footprint f;
  f.make(Account::activations, dy);
  if (!s.defers) f.make(Account::exchange, if_several(s, s.mine(in))).make(Account::activations, s.group(in));
  f.run(product_memory(s, Account::activations, s.b * s.T, out, in));
  f.make(Account::exchange, P * s.mine(in));
  if (!s.defers) {
    f.drop(Account::exchange, if_several(s, s.mine(in)));
    f.run(weight_gradient(s, s.b * s.T, in, out)).drop(Account::activations, s.group(in));
    f.run(bias_gradient(s, s.b * s.T, out));
  }
  f.make(Account::activations, s.mine(in)).drop(Account::exchange, P * s.mine(in));
  return f.drop(Account::activations, s.group(in) + dy);
}

Footprint row_backward(const PassSizes& s, int64_t in, int64_t out) {
  Footprint f;
  f.make(Account::exchange, if_several(s, s.mine(out))).make(Account::activations, s.group(out));
  f.drop(Account::exchange, if_several(s, s.mine(out)));
  f.run(product_memory(s, Account::activations, s.b * s.T, out, in));
  if (s.defers) return f;
  f.make(Account::gradients, if_several(s, s.group(in)));
  f.run(weight_gradient(s, s.b * s.T, in, out)).drop(Account::gradients, if_several(s, s.group(in)));
  return f.run(bias_gradient(s, s.b * s.t, out)).drop(Account::activations, s.group(out));
}

}  // namespace

Footprint product_memory(const PassSizes& s, Account account, int64_t rows, int64_t inner, int64_t columns) {
  const bool packs = s.scratch.packs_products && rows >= fewest && columns >= fewest;
  const int64_t terms = std::min(inner, most_inner);
  const int64_t right = terms * rounded(columns, panel), left = (rounded(terms, depth) + depth) * left_rows;
  const int64_t packed = packs ? (right + left) * fp32_bytes : 0;
  const int64_t wide = packs && inner > most_inner && s.e() < fp32_bytes ? rows * columns * fp32_bytes : 0;
  Footprint f;
  if (wide == 0) return f.make(account, rows * columns * s.e()).brief(account, packed);
  return f.make(account, wide).brief(account, packed).make(account, rows * columns * s.e()).drop(account, wide);
}

Footprint plain_forward(const PassSizes& s, int64_t rows, int64_t in, int64_t out) {
  return product_memory(s, Account::activations, rows, in, out);
}

Footprint plain_backward(const PassSizes& s, int64_t rows, int64_t in, int64_t out, bool for_input,
                         int64_t copy) {
  Footprint f;
  if (for_input) f.run(product_memory(s, Account::activations, rows, out, in));
  f.make(Account::gradients, copy).run(weight_gradient(s, rows, in, out)).drop(Account::gradients, copy);
  return f.run(bias_gradient(s, rows, out));
}

Footprint linear_forward(const PassSizes& s, LayerCut cut, int64_t in, int64_t out) {
  const int64_t rows = s.b * s.T, P = s.axes.tensor;
  if (P == 1) return plain_forward(s, rows, in, out);
  Footprint f;
  if (cut == LayerCut::column) {
    f.make(Account::exchange, if_several(s, s.mine(in))).make(Account::activations, s.group(in));
    f.drop(Account::exchange, if_several(s, s.mine(in)));
    return f.run(plain_forward(s, rows, in, out)).drop(Account::activations, s.group(in));
  }
  const int64_t sum = s.b * s.t * out * fp32_bytes;
  f.run(plain_forward(s, rows, in, out)).make(Account::exchange, P * s.mine(out)).make(Account::activations, sum);
  f.drop(Account::exchange, P * s.mine(out)).drop(Account::activations, s.group(out));
  f.make(Account::activations, sum);  // with the bias
  if (s.e() == fp32_bytes) return f.drop(Account::activations, sum);
  return f.make(Account::activations, s.mine(out)).drop(Account::activations, 2 * sum);
}

Footprint linear_backward(const PassSizes& s, LayerCut cut, int64_t in, int64_t out) {
  const int64_t rows = s.b * s.T;
  if (s.axes.tensor == 1 && s.defers) return product_memory(s, Account::activations, rows, out, in);
  if (s.axes.tensor == 1) return plain_backward(s, rows, in, out);
  return cut == LayerCut::column ? column_backward(s, in, out) : row_backward(s, in, out);
}

Footprint linear_weights(const PassSizes& s, LayerCut cut, int64_t in, int64_t out) {
  const int64_t rows = s.b * s.T;
  Footprint f;
  if (s.axes.tensor == 1) return f.run(weight_gradient(s, rows, in, out)).run(bias_gradient(s, rows, out));
  if (cut == LayerCut::row) {
    f.make(Account::gradients, if_several(s, s.group(in))).run(weight_gradient(s, rows, in, out));
    return f.drop(Account::gradients, if_several(s, s.group(in))).run(bias_gradient(s, s.b * s.t, out));
  }
  f.make(Account::exchange, if_several(s, s.mine(in))).make(Account::gradients, s.group(in));
  f.drop(Account::exchange, if_several(s, s.mine(in))).run(weight_gradient(s, rows, in, out));
  return f.drop(Account::gradients, s.group(in)).run(bias_gradient(s, rows, out));
}

int64_t linear_deferred(const PassSizes& s, LayerCut cut, int64_t in, int64_t out) {
  if (cut == LayerCut::column) return s.mine(in) + s.group(out);
  return s.group(in) + s.mine(out) + (s.axes.tensor > 1 ? s.group(out) : 0);
}

}  // namespace graticule

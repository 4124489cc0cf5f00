#include "graticule/footprint/layer_memory.h"

#include <algorithm>

#include "graticule/kernel/matrix_blocks.h"
#include "graticule/kernel/row_kernels.h"

namespace graticule {

namespace {

// dW = dy^T x, with dy [rows, out] and x [rows, in].
Footprint weight_gradient(const PassSizes& s, int64_t rows, int64_t in, int64_t out) {
  return product_memory(s, Account::gradients, out, rows, in, Turned::left);
}

// The sum of dy over its rows. The CPU sums parts of them first (row_parts).
Footprint bias_gradient(const PassSizes& s, int64_t rows, int64_t out) {
  Footprint f;
  if (s.scratch.threads > 0) f.brief(Account::gradients, row_parts(rows) * out * fp32_bytes);
  return f.make(Account::gradients, out * s.e());
}

// All-gather of [b, t, width] to [b, T, width]. With several samples it is first copied to the order tokens
// first.
Footprint gather(const PassSizes& s, Account account, int64_t width) {
  const int64_t copy = s.b > 1 ? s.mine(width) : 0;
  Footprint f;
  return f.make(Account::exchange, copy).make(account, s.group(width)).drop(Account::exchange, copy);
}

// Bytes of a copy from the order samples first to tokens first, if the layer needs one.
int64_t copied(const PassSizes& s, const Layer& l, int64_t width) {
  return l.samples_first && s.b > 1 ? s.group(width) : 0;
}

// x is gathered while dx is computed, and dx is reduce-scattered while dW is computed.
Footprint column_backward(const PassSizes& s, const Layer& l) {
  const int64_t received = s.axes.tensor * s.mine(l.in), dy = copied(s, l, l.out), rows = s.b * s.T;
  Footprint f;
  f.make(dy);
  if (!s.defers) f.run(gather(s, Account::activations, l.in));
  f.run(product_memory(s, Account::activations, rows, l.out, l.in, Turned::neither))
      .make(Account::exchange, received);
  if (!s.defers) {
    f.run(weight_gradient(s, rows, l.in, l.out)).drop(s.group(l.in)).run(bias_gradient(s, rows, l.out));
  }
  return f.make(s.mine(l.in)).drop(Account::exchange, received).drop(s.group(l.in) + dy);
}

Footprint row_backward(const PassSizes& s, const Layer& l) {
  Footprint f;
  f.run(gather(s, Account::activations, l.out))
      .run(product_memory(s, Account::activations, s.b * s.T, l.out, l.in, Turned::neither));
  return s.defers ? f : f.run(linear_weights(s, l)).drop(s.group(l.out));
}

}  // namespace

Footprint product_memory(const PassSizes& s, Account account, int64_t rows, int64_t inner, int64_t columns,
                         Turned turned) {
  const bool packs = inner <= s.scratch.block_terms && rows >= fewest_rows && columns >= fewest_rows;
  const bool fp32 = s.e() == fp32_bytes, left = packs && (!fp32 || turned == Turned::left),
             right = packs && (!fp32 || turned == Turned::right || columns > most_right_stride);
  const int64_t most = right ? right_terms(columns, fp32) : inner;
  const int64_t packed = ((right ? right_floats(std::min(inner, most), columns) : 0) +
                          (left ? left_floats : 0) + (packs && !fp32 ? sum_floats : 0)) *
                         fp32_bytes;
  const int64_t wide = packs && inner > most && !fp32 ? rows * columns * fp32_bytes : 0;
  Footprint f;
  if (wide == 0) return f.make(account, rows * columns * s.e()).brief(account, packed);
  return f.make(account, wide)
      .brief(account, packed)
      .make(account, rows * columns * s.e())
      .drop(account, wide);
}

Footprint plain_forward(const PassSizes& s, int64_t rows, int64_t in, int64_t out) {
  return product_memory(s, Account::activations, rows, in, out, Turned::right);
}

Footprint plain_backward(const PassSizes& s, int64_t rows, int64_t in, int64_t out, bool for_input,
                         int64_t copy) {
  Footprint f;
  if (for_input) f.run(product_memory(s, Account::activations, rows, out, in, Turned::neither));
  f.make(Account::gradients, copy).run(weight_gradient(s, rows, in, out)).drop(Account::gradients, copy);
  return f.run(bias_gradient(s, rows, out));
}

Footprint linear_forward(const PassSizes& s, const Layer& l) {
  const int64_t rows = s.b * s.T, received = s.axes.tensor * s.mine(l.out),
                sum = s.b * s.t * l.out * fp32_bytes;
  if (s.axes.tensor == 1) return plain_forward(s, rows, l.in, l.out);
  Footprint f;
  if (l.cut == Layer::Cut::column) {
    return f.run(gather(s, Account::activations, l.in))
        .run(plain_forward(s, rows, l.in, l.out))
        .drop(s.group(l.in));
  }
  f.make(copied(s, l, l.in)).run(plain_forward(s, rows, l.in, l.out));
  f.drop(copied(s, l, l.in)).make(Account::exchange, received).make(sum);
  f.drop(Account::exchange, received).drop(s.group(l.out)).make(sum);  // with the bias
  if (s.e() == fp32_bytes) return f.drop(sum);
  return f.make(s.mine(l.out)).drop(2 * sum);
}

Footprint linear_backward(const PassSizes& s, const Layer& l) {
  if (s.axes.tensor > 1) return l.cut == Layer::Cut::column ? column_backward(s, l) : row_backward(s, l);
  const Footprint dx = product_memory(s, Account::activations, s.b * s.T, l.out, l.in, Turned::neither);
  Footprint f;
  return s.defers ? dx : f.run(dx).run(linear_weights(s, l));
}

Footprint linear_weights(const PassSizes& s, const Layer& l) {
  const int64_t rows = s.b * s.T;
  const bool row = l.cut == Layer::Cut::row, cut = s.axes.tensor > 1, gathers = cut && !row;
  const int64_t copy = cut && row ? copied(s, l, l.in) : 0;
  Footprint f;
  if (gathers) f.run(gather(s, Account::gradients, l.in));
  f.make(Account::gradients, copy).run(weight_gradient(s, rows, l.in, l.out)).drop(Account::gradients, copy);
  return f.drop(Account::gradients, gathers ? s.group(l.in) : 0)
      .run(bias_gradient(s, cut && row ? s.b * s.t : rows, l.out));
}

int64_t linear_deferred(const PassSizes& s, const Layer& l) {
  if (l.cut == Layer::Cut::column) return s.mine(l.in) + s.group(l.out);
  return s.group(l.in) + s.mine(l.out) + (s.axes.tensor > 1 ? s.group(l.out) : 0);
}

}  // namespace graticule

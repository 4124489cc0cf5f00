#include "graticule/attention/wire.h"

#include <ATen/ops/empty.h>

#include "graticule/core/ledger.h"

namespace graticule {

void pack_heads(const std::vector<at::Tensor>& tensors_BTxD, const at::Tensor& wire_TBXD) {
  int64_t first = 0;
  for (const at::Tensor& x : tensors_BTxD) {
    wire_heads(wire_TBXD, first, x.size(2)).copy_(x);
    first += x.size(2);
  }
}

at::Tensor packed_heads(const std::vector<at::Tensor>& tensors_BTxD, at::ScalarType dtype) {
  const Accounted booked(Account::exchange);
  const at::Tensor& like = tensors_BTxD.front();
  int64_t heads = 0;
  for (const at::Tensor& x : tensors_BTxD) heads += x.size(2);
  at::Tensor wire = at::empty({like.size(1), like.size(0), heads, like.size(3)}, like.options().dtype(dtype));
  pack_heads(tensors_BTxD, wire);
  return wire;
}

at::Tensor wire_heads(const at::Tensor& wire_TBXD, int64_t first, int64_t count) {
  return wire_TBXD.narrow(2, first, count).transpose(0, 1);
}

at::Tensor heads_in(const at::Tensor& x_BTHD, const Span& heads) {
  return x_BTHD.narrow(2, heads.begin, heads.size());
}

}  // namespace graticule

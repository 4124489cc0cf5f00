#include "graticule/attention/grid_side.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>

#include "graticule/attention/wire.h"
#include "graticule/core/ledger.h"
#include "graticule/core/trace.h"
#include "graticule/kernel/merge.h"

namespace graticule {

namespace {

using Tensors = std::vector<at::Tensor>;

// `count` tensors that are side by side in a message, as views.
Tensors apart(const at::Tensor& wire_NBXD, int64_t count) {
  const int64_t heads = wire_NBXD.size(2) / count;
  Tensors tensors;
  for (int64_t i = 0; i < count; ++i) tensors.push_back(wire_heads(wire_NBXD, i * heads, heads));
  return tensors;
}

at::Tensor joined(const Tensors& parts, int64_t dim) {
  return parts.size() == 1 ? parts[0] : at::cat(parts, dim);
}

// A message of results has the log-sum-exp as one more number of each head.
at::Tensor message_of(const FlashResult& part) {
  const Accounted booked(Account::exchange);
  const at::Tensor out_NBHD = part.out_BTHD.transpose(0, 1);
  std::vector<int64_t> sizes = out_NBHD.sizes().vec();
  const int64_t D = sizes.back()++;
  at::Tensor wire_NBHE = at::empty(sizes, out_NBHD.options());
  wire_NBHE.narrow(3, 0, D).copy_(out_NBHD);
  wire_NBHE.select(3, D).copy_(part.lse_BHT.permute({2, 0, 1}));
  return wire_NBHE;
}

FlashResult result_in(const at::Tensor& wire_NBHE) {
  const int64_t D = wire_NBHE.size(3) - 1;
  return {wire_NBHE.narrow(3, 0, D).transpose(0, 1), wire_NBHE.select(3, D).permute({1, 2, 0})};
}

// The first part is copied, so that the result does not keep the whole message.
FlashResult merged(const at::Tensor& parts_NBHE, int64_t count) {
  const int64_t T = parts_NBHE.size(0) / count;
  FlashResult total = result_in(parts_NBHE.narrow(0, 0, T));
  total = {total.out_BTHD.clone(at::MemoryFormat::Contiguous),
           total.lse_BHT.clone(at::MemoryFormat::Contiguous)};
  for (int64_t i = 1; i < count; ++i) merge_into(total, result_in(parts_NBHE.narrow(0, i * T, T)));
  return total;
}

// One tensor of one sample already has the message's layout, and is not copied.
at::Tensor sums_message(const Tensors& parts_BNxD) {
  const Accounted booked(Account::exchange);
  if (parts_BNxD.size() > 1) return packed_heads(parts_BNxD, at::kFloat);
  return parts_BNxD[0].transpose(0, 1).contiguous();
}

}  // namespace

Gathering::Gathering(const GridSide& side, Tensors mine_BTxD)
    : tensors_(std::move(mine_BTxD)), count_(std::ssize(tensors_)) {
  if (!side.is_shared()) return;
  const Scope scope("exchange");
  const at::Tensor wire_TBXD = packed_heads(tensors_, tensors_[0].scalar_type());
  tensors_.clear();
  pending_.emplace(side.group.all_gather(wire_TBXD, side.tokens_of));
}

Tensors Gathering::wait() {
  if (!pending_) return std::move(tensors_);
  const Scope scope("exchange");
  return apart(pending_->wait(), count_);
}

Merging::Merging(const GridSide& side, at::ScalarType dtype) : side_(side), dtype_(dtype) {}

at::ScalarType Merging::part_dtype() const { return side_.is_shared() ? at::kFloat : dtype_; }

void Merging::add(FlashResult part) {
  if (!side_.is_shared()) {
    out_.push_back(part.out_BTHD);
    lse_.push_back(part.lse_BHT);
    return;
  }
  take();
  const Scope scope("exchange");
  const at::Tensor wire_NBHE = message_of(part);
  part = {};
  const std::vector<int64_t> mine(side_.tokens_of.size(), side_.tokens_of[side_.group.rank()]);
  returning_.emplace(side_.group.all_to_all(wire_NBHE, side_.tokens_of, mine));
}

void Merging::take() {
  if (!returning_) return;
  const Scope scope("exchange");
  const FlashResult total = merged(returning_->wait(), side_.group.size());
  returning_.reset();
  out_.push_back(total.out_BTHD.to(dtype_));
  lse_.push_back(total.lse_BHT);
}

FlashResult Merging::result() {
  take();
  const Tensors out = std::exchange(out_, {}), lse = std::exchange(lse_, {});
  return {joined(out, 2), joined(lse, 1)};
}

Summing::Summing(const GridSide& side, at::ScalarType dtype) : side_(side), dtype_(dtype) {}

void Summing::add(Tensors parts_BNxD) {
  sums_.resize(parts_BNxD.size());
  if (!side_.is_shared()) return keep(parts_BNxD);
  take();
  const Scope scope("exchange");
  const at::Tensor wire_NBXD = sums_message(parts_BNxD);
  parts_BNxD.clear();
  returning_.emplace(side_.group.reduce_scatter(wire_NBXD, side_.tokens_of, dtype_));
}

void Summing::take() {
  if (!returning_) return;
  const Scope scope("exchange");
  keep(apart(returning_->wait(), std::ssize(sums_)));
  returning_.reset();
}

void Summing::keep(const Tensors& sums_BTxD) {
  for (size_t i = 0; i < sums_.size(); ++i) sums_[i].push_back(sums_BTxD[i].to(dtype_));
}

Tensors Summing::result() {
  take();
  Tensors whole;
  for (Tensors& sums : sums_) {
    const Tensors parts = std::exchange(sums, {});
    whole.push_back(joined(parts, 2));
  }
  return whole;
}

}  // namespace graticule

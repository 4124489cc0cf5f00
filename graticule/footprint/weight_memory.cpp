#include "graticule/footprint/weight_memory.h"

namespace graticule {

namespace {

constexpr auto weights = Account::weights, gradients = Account::gradients;

// Allocates `bytes` and notes them in `held`.
void hold(Footprint& f, Booked& held, Account account, int64_t bytes) {
  f.make(account, bytes);
  held.of(account) += bytes;
}

// Frees the bytes of `held`.
void let_go(Footprint& f, Booked& held) {
  f.undo(held);
  held = {};
}

}  // namespace

PartSizes::PartSizes(const PassSizes& s, int64_t n, int64_t ranks, int64_t rank, int64_t copies)
    : level_(s.options.parallel.shard),
      n_(n),
      ranks_(ranks),
      owned_(level_ == Shard::none ? n : span_of(n, ranks, rank).size()),
      copies_(copies),
      element_(s.e()) {
  const TrainOptions& train = s.options.train;
  const int64_t kept = (train.ema > 0 ? 2 : 1) * fp32_bytes + 2 * bytes_of(train.moments);
  state_ = train.state_in.empty() ? owned_ * kept : 0;
}

void PartSizes::make_state(Footprint& f) const { f.make(Account::optimizer, state_); }

// Allocates the owned part in the compute dtype and, if it is gathered, the whole.
void PartSizes::prefetch(Footprint& f) {
  if (!stale_ || gathering_) return;
  gathering_ = true;
  f.make(weights, element_ < fp32_bytes ? owned_ * element_ : 0).make(weights, sharded() ? n_ * element_ : 0);
}

// With one rank and fp32 the weights in use are the master weights.
void PartSizes::gather(Footprint& f) {
  if (!stale_) return;
  prefetch(f);
  stale_ = gathering_ = false;
  const int64_t own = element_ < fp32_bytes ? owned_ * element_ : 0, whole = sharded() ? n_ * element_ : own;
  f.drop(weights, sharded() ? own : 0).drop(weights, there_ ? whole : 0);
  there_ = true;
}

void PartSizes::release(Footprint& f) {
  if (level_ != Shard::full || stale_ || (!sharded() && element_ == fp32_bytes)) return;
  f.drop(weights, n_ * element_);
  there_ = false, stale_ = true;
}

void PartSizes::take_gradients(Footprint& f, bool last) {
  int64_t fresh = n_ * element_;
  const int64_t wide = n_ * fp32_bytes;
  // The flat copy; the gradients of single weights are freed.
  f.make(gradients, fresh).drop(gradients, fresh);
  if (level_ == Shard::gradients || level_ == Shard::full) {
    f.drop(gradients, fresh);
    hold(f, reducing_, gradients, ranks_ > 1 || element_ == fp32_bytes ? fresh : wide);
    if (ranks_ > 1) hold(f, reducing_, Account::exchange, ranks_ * owned_ * element_);
    return;
  }
  if (local_.total() == 0) {  // in fp32 the flat copy is kept as the sum
    if (element_ == fp32_bytes) f.drop(gradients, std::exchange(fresh, 0));
    hold(f, local_, gradients, wide);
  }
  if (last && ranks_ > 1 && level_ == Shard::none) {
    hold(f, reducing_, gradients, wide);
    let_go(f, local_);
  } else if (last) {
    reducing_ = std::exchange(local_, {});
    if (ranks_ > 1) hold(f, reducing_, Account::exchange, ranks_ * owned_ * fp32_bytes);
  }
  f.drop(gradients, fresh);
}

void PartSizes::collect(Footprint& f) {
  if (reducing_.total() == 0) return;
  const int64_t part = (level_ == Shard::none || ranks_ == 1 ? n_ : owned_) * fp32_bytes;
  if (part == reducing_.total() && gradient_.total() == 0) {
    gradient_ = std::exchange(reducing_, {});
    return;
  }
  f.make(gradients, part);
  let_go(f, reducing_);
  if (gradient_.total() == 0) {
    gradient_.of(gradients) = part;
  } else {
    f.drop(gradients, part);
  }
}

int64_t PartSizes::copies_bytes() const { return copies_ > 1 ? owned_ * fp32_bytes : 0; }

void PartSizes::zero_gradients(Footprint& f) { let_go(f, gradient_); }

std::vector<PartSizes> parts_of(const PassSizes& s, int64_t block) {
  const Place& place = s.share.place;
  const int64_t replicas = int64_t{s.axes.data} * s.axes.sequence(), P = s.axes.tensor;
  const int64_t shard = s.options.parallel.shard_ranks > 0 ? s.options.parallel.shard_ranks : replicas;
  const int64_t replica = (place.data * s.axes.context + place.context) * s.axes.ulysses + place.ulysses;
  const BlockParameters n = parameters_of_block(block, s.share, s.shape, s.axes);
  std::vector<PartSizes> parts;
  parts.emplace_back(s, n.whole, shard * P, (replica * P + place.tensor) % (shard * P), replicas / shard);
  if (n.cut > 0) parts.emplace_back(s, n.cut, shard, replica % shard, replicas / shard);
  return parts;
}

}  // namespace graticule

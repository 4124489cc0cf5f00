#include "graticule/parallel/shard.h"

#include <ATen/ops/empty.h>

#include "graticule/core/error.h"
#include "graticule/core/ledger.h"
#include "graticule/core/trace.h"

namespace graticule {

namespace {

bool reduces_every_time(Shard level) { return level == Shard::gradients || level == Shard::full; }

// Fills in the owned part of the initial weights, one parameter at a time, so that the whole block is never
// in memory.
void fill_initial_values(const at::Tensor& owned_values, const std::string& block,
                         const std::vector<Parameter>& parameters, const Span& owned, uint64_t seed) {
  if (owned_values.is_meta()) return;
  int64_t offset = 0;
  for (const auto& parameter : parameters) {
    const Span shared = intersect(owned, {offset, offset + parameter.numel()});
    if (!shared.empty()) {
      const at::Tensor all = initial_values(parameter, block + "." + parameter.name, seed).view(-1);
      owned_values.narrow(0, shared.begin - owned.begin, shared.size())
          .copy_(all.narrow(0, shared.begin - offset, shared.size()));
    }
    offset += parameter.numel();
  }
}

std::vector<Stretch> stretches_of(const std::vector<Parameter>& parameters, const Span& owned) {
  std::vector<Stretch> stretches;
  int64_t offset = 0;
  for (const auto& parameter : parameters) {
    const Span shared = intersect(owned, {offset, offset + parameter.numel()});
    offset += parameter.numel();
    if (shared.empty()) continue;
    const Span local = {shared.begin - owned.begin, shared.end - owned.begin};
    if (!stretches.empty() && stretches.back().decay == parameter.decay) {
      stretches.back().span.end = local.end;
    } else {
      stretches.push_back({local, parameter.decay});
    }
  }
  return stretches;
}

// Frees the memory of a tensor's storage. Views and saved tensors share the storage, so they stay valid once
// it is filled again.
void free_storage(const at::Tensor& tensor) {
  tensor.storage().set_data_ptr(c10::DataPtr(nullptr, tensor.device()));
  tensor.storage().set_nbytes(0);
}

// Moves the memory of `from` (a new tensor that no other code uses) to the storage of `to`.
void take_storage(const at::Tensor& to, const at::Tensor& from) {
  const size_t bytes = from.storage().nbytes();
  to.storage().set_data_ptr(from.storage().set_data_ptr(c10::DataPtr(nullptr, from.device())));
  to.storage().set_nbytes(bytes);
}

}  // namespace

ShardedPart::ShardedPart(std::string block, std::vector<Parameter> parameters, const ShardOptions& options,
                         Replicas replicas)
    : block_(std::move(block)),
      parameters_(std::move(parameters)),
      level_(options.level),
      compute_(options.compute),
      replicas_(std::move(replicas)),
      numel_(flat_numel(parameters_)) {
  const Group& shard = replicas_.shard;
  sizes_ = span_sizes(numel_, shard.size());
  owned_ = level_ == Shard::none ? Span{0, numel_} : span_of(numel_, shard.size(), shard.rank());
  stretches_ = stretches_of(parameters_, owned_);
  const Accounted booked(Account::optimizer);
  state_ =
      zero_state(owned_.size(), options.moments, options.averages, options.device, options.state_in, block_);
  fill_initial_values(state_.master, block_, parameters_, owned_, options.seed);
  if (options.averages) state_.average.copy_(state_.master);
}

bool ShardedPart::speaks() const {
  return replicas_.copies.rank() == 0 && (level_ != Shard::none || replicas_.shard.rank() == 0);
}

void ShardedPart::make_leaves() {
  leaves_ = Weights();
  const Weights views = as_weights(parameters_, whole_);
  for (const auto& [name, view] : views.items()) {
    leaves_.add(name, view.detach().requires_grad_());
  }
}

void ShardedPart::start_gather() {
  const Accounted booked(Account::weights);
  const at::Tensor mine = state_.master.to(compute_);
  const bool sharded = level_ != Shard::none;
  gathering_.emplace(sharded ? replicas_.shard.all_gather(mine, sizes_) : Pending(mine));
}

void ShardedPart::prefetch() {
  if (stale_ && !gathering_) start_gather();
}

const Weights& ShardedPart::gather() {
  if (!stale_) return leaves_;
  const Scope scope("weights");
  prefetch();
  const at::Tensor gathered = gathering_->wait();
  gathering_.reset();
  stale_ = false;
  if (!whole_.defined()) {
    whole_ = gathered;  // the master weights themselves, if nothing is sharded and the compute dtype is fp32
    make_leaves();
  } else if (whole_.storage().nbytes() == 0) {
    take_storage(whole_, gathered);
  } else if (!whole_.is_alias_of(gathered)) {
    whole_.variable_data().copy_(
        gathered);  // a version counter of its own: graphs that saved the leaves stay valid
  }
  return leaves_;
}

void ShardedPart::release() {
  // A single rank that computes in fp32 uses the master weights themselves; they are not freed.
  if (level_ != Shard::full || stale_ || whole_.is_alias_of(state_.master)) return;
  free_storage(whole_);
  stale_ = true;
}

void ShardedPart::refresh() { stale_ = true; }

at::Tensor ShardedPart::flatten_gradients() const {
  at::Tensor flat = at::empty({numel_}, whole_.options());
  int64_t offset = 0;
  for (const auto& [name, leaf] : leaves_.items()) {
    const at::Tensor place = flat.narrow(0, offset, leaf.numel());
    leaf.grad().defined() ? place.copy_(leaf.grad().reshape(-1)) : place.zero_();
    offset += leaf.numel();
    leaf.mutable_grad().reset();
  }
  return flat;
}

void ShardedPart::take_gradients(bool last) {
  const Scope scope("reduce");
  const Accounted booked(Account::gradients);
  at::Tensor flat = flatten_gradients();
  if (reduces_every_time(level_)) {
    reducing_.push_back(replicas_.shard.reduce_scatter(flat, sizes_, at::kFloat));
    return;
  }
  if (local_gradient_.defined()) {
    local_gradient_.add_(flat);
  } else {
    local_gradient_ = flat.to(at::kFloat);
  }
  if (!last) return;
  reducing_.push_back(level_ == Shard::none
                          ? replicas_.shard.all_reduce(local_gradient_)
                          : replicas_.shard.reduce_scatter(local_gradient_, sizes_, at::kFloat));
  local_gradient_.reset();
}

void ShardedPart::collect() {
  const Scope scope("reduce");
  const Accounted booked(Account::gradients);
  for (auto& pending : reducing_) {
    const at::Tensor part = pending.wait();
    if (gradient_.defined()) {
      gradient_.add_(part);
    } else {
      gradient_ = part;
    }
  }
  reducing_.clear();
}

void ShardedPart::start_copies() {
  const Accounted booked(Account::gradients);
  if (replicas_.copies.size() > 1) copying_.emplace(replicas_.copies.all_reduce(gradient_));
}

void ShardedPart::finish_copies() {
  const Scope scope("reduce");
  if (copying_) gradient_ = copying_->wait();
  copying_.reset();
}

void ShardedPart::zero_gradients() { gradient_.reset(); }

}  // namespace graticule

#include "graticule/parallel/shard.h"

#include "graticule/core/error.h"
#include "graticule/core/trace.h"

namespace graticule {

namespace {

bool reduces_every_time(Shard level) { return level == Shard::gradients || level == Shard::full; }

// The owned part of the initial weights, made parameter by parameter so that the whole block is never held.
at::Tensor owned_initial_values(const std::string& block, const std::vector<Parameter>& parameters,
                                const Span& owned, uint64_t seed) {
  at::Tensor values = at::empty({owned.size()}, at::kFloat);
  int64_t offset = 0;
  for (const auto& parameter : parameters) {
    const Span shared = intersect(owned, {offset, offset + parameter.numel()});
    if (!shared.empty()) {
      const at::Tensor all = initial_values(parameter, block + "." + parameter.name, seed).view(-1);
      values.narrow(0, shared.begin - owned.begin, shared.size())
          .copy_(all.narrow(0, shared.begin - offset, shared.size()));
    }
    offset += parameter.numel();
  }
  return values;
}

// Views and saved tensors share a storage, so its memory can be given back and filled again behind them.
void free_storage(const at::Tensor& tensor) {
  tensor.storage().set_data_ptr(c10::DataPtr(nullptr, tensor.device()));
  tensor.storage().set_nbytes(0);
}

// Gives `from`'s memory (a fresh tensor that nobody else sees) to the storage of `to`.
void take_storage(const at::Tensor& to, const at::Tensor& from) {
  const size_t bytes = from.storage().nbytes();
  to.storage().set_data_ptr(from.storage().set_data_ptr(c10::DataPtr(nullptr, from.device())));
  to.storage().set_nbytes(bytes);
}

}  // namespace

ShardedBlock::ShardedBlock(std::string name, std::vector<Parameter> parameters, const ShardOptions& options)
    : name_(std::move(name)),
      parameters_(std::move(parameters)),
      options_(options),
      numel_(flat_numel(parameters_)) {
  const bool sharded = options_.level != Shard::none;
  sizes_ = span_sizes(numel_, options_.replicas.size());
  owned_ = sharded ? span_of(numel_, options_.replicas.size(), options_.replicas.rank()) : Span{0, numel_};
  state_.master = owned_initial_values(name_, parameters_, owned_, options_.seed).to(options_.device);
  state_.moment1 = at::zeros_like(state_.master);
  state_.moment2 = at::zeros_like(state_.master);
}

void ShardedBlock::make_leaves() {
  leaves_ = Weights();
  const Weights views = as_weights(parameters_, whole_);
  for (const auto& [name, view] : views.items()) {
    leaves_.add(name, view.detach().requires_grad_());
  }
}

void ShardedBlock::start_gather() {
  const at::Tensor mine = state_.master.to(options_.compute);
  const bool sharded = options_.level != Shard::none;
  gathering_.emplace(sharded ? options_.replicas.all_gather(mine, sizes_) : Pending(mine));
}

void ShardedBlock::prefetch() {
  if (stale_ && !gathering_) start_gather();
}

const Weights& ShardedBlock::gather() {
  if (!stale_) return leaves_;
  const Scope scope("weights");
  prefetch();
  const at::Tensor gathered = gathering_->wait();
  gathering_.reset();
  stale_ = false;
  if (!whole_.defined()) {
    whole_ = gathered;  // the master itself where nothing is sharded and the compute dtype is fp32
    make_leaves();
  } else if (whole_.storage().nbytes() == 0) {
    take_storage(whole_, gathered);
  } else if (!whole_.is_alias_of(gathered)) {
    whole_.variable_data().copy_(
        gathered);  // a version counter of its own: graphs that saved the leaves stay valid
  }
  return leaves_;
}

void ShardedBlock::release() {
  if (options_.level != Shard::full || options_.replicas.size() == 1 || stale_) return;
  free_storage(whole_);
  stale_ = true;
}

void ShardedBlock::refresh() { stale_ = true; }

at::Tensor ShardedBlock::flatten_gradients() const {
  at::Tensor flat = at::zeros({numel_}, whole_.options());
  int64_t offset = 0;
  for (const auto& [name, leaf] : leaves_.items()) {
    if (leaf.grad().defined()) flat.narrow(0, offset, leaf.numel()).copy_(leaf.grad().reshape(-1));
    offset += leaf.numel();
    leaf.mutable_grad().reset();
  }
  return flat;
}

void ShardedBlock::take_gradients(bool last) {
  const Scope scope("reduce");
  at::Tensor flat = flatten_gradients();
  if (reduces_every_time(options_.level)) {
    reducing_.push_back(options_.replicas.reduce_scatter(flat, sizes_, at::kFloat));
    return;
  }
  if (local_gradient_.defined()) {
    local_gradient_.add_(flat);
  } else {
    local_gradient_ = flat.to(at::kFloat);
  }
  if (!last) return;
  reducing_.push_back(options_.level == Shard::none
                          ? options_.replicas.all_reduce(local_gradient_)
                          : options_.replicas.reduce_scatter(local_gradient_, sizes_, at::kFloat));
  local_gradient_.reset();
}

void ShardedBlock::finish_reduce() {
  const Scope scope("reduce");
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

void ShardedBlock::zero_gradients() { gradient_.reset(); }

}  // namespace graticule

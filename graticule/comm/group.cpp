#include "graticule/comm/group.h"

#include <ATen/ops/empty.h>
#include <c10/util/hash.h>

#include <algorithm>
#include <exception>
#include <numeric>
#include <utility>

#include "graticule/comm/backend.h"
#include "graticule/comm/sum.h"
#include "graticule/core/error.h"
#include "graticule/core/ledger.h"
#include "graticule/core/span.h"

namespace graticule {
namespace {

using Counts = std::vector<int64_t>;

int64_t sum_of(const Counts& counts) { return std::accumulate(counts.begin(), counts.end(), int64_t{0}); }

int64_t row_elements(const at::Tensor& rows) {
  GRATICULE_CHECK(rows.dim() > 0, "a collective over rows needs a dimension to cut");
  return c10::multiply_integers(rows.sizes().slice(1));
}

Counts scaled(Counts counts, int64_t by) {
  for (int64_t& count : counts) count *= by;
  return counts;
}

/// The shape of `rows` with `count` rows.
Counts shape_with(const at::Tensor& rows, int64_t count) {
  Counts shape = rows.sizes().vec();
  shape[0] = count;
  return shape;
}

c10d::ReduceOp reduce_op(Reduction reduction) {
  switch (reduction) {
    case Reduction::sum:
      return c10d::ReduceOp::SUM;
    case Reduction::max:
      return c10d::ReduceOp::MAX;
    case Reduction::min:
      return c10d::ReduceOp::MIN;
  }
  GRATICULE_CHECK(false, "reduction ", static_cast<int>(reduction));
}

/// The device on which the back end needs the values. A CPU tensor's device has no index, so it stays as it
/// is.
at::Device device_for(const c10d::Backend& backend, const at::Tensor& values) {
  const auto device = backend.getBoundDeviceId();
  return !device || (device->is_cpu() && values.is_cpu()) ? values.device() : *device;
}

/// Turns the owner into a std::shared_ptr, which can be copied where the type is only declared.
template <class Owned>
std::shared_ptr<Owned> shared(c10::intrusive_ptr<Owned> owner) {
  Owned* const object = owner.get();
  if (!object) return nullptr;
  return {object, [owner = std::move(owner)](Owned*) {}};
}

}  // namespace

Pending::Pending(at::Tensor ready) : finish_([ready = std::move(ready)] { return ready; }) {}

Pending::Pending(c10::intrusive_ptr<c10d::Work> work, std::vector<at::Tensor> buffers,
                 std::function<at::Tensor()> finish, Ticket ticket)
    : work_(shared(std::move(work))),
      buffers_(std::move(buffers)),
      finish_(std::move(finish)),
      ticket_(std::move(ticket)) {}

Pending& Pending::operator=(Pending&& other) noexcept {
  std::swap(work_, other.work_);
  std::swap(buffers_, other.buffers_);
  std::swap(finish_, other.finish_);
  std::swap(ticket_, other.ticket_);
  return *this;
}

Pending::~Pending() {
  if (!work_ || std::uncaught_exceptions() > 0) return;
  try {
    const Waiting waiting(ticket_);
    work_->wait();
  } catch (const std::exception&) {
    // The error is for the code that waits for a result; every later operation of the group fails too.
  }
}

at::Tensor Pending::wait() {
  GRATICULE_CHECK(finish_, "wait() was called twice");
  if (const auto work = std::exchange(work_, nullptr)) {
    const Waiting waiting(ticket_);
    work->wait();
  }
  at::Tensor result = std::exchange(finish_, nullptr)();
  buffers_.clear();
  return result;
}

bool Pending::poll() { return !work_ || work_->isCompleted(); }

Pending Pending::then(std::function<at::Tensor(at::Tensor)> next) && {
  finish_ = [before = std::move(finish_), next = std::move(next)] { return next(before()); };
  return std::move(*this);
}

Group::Group() : Group("alone") {}

Group::Group(std::string label) : Group(nullptr, std::move(label)) {}

Group::Group(c10::intrusive_ptr<c10d::Backend> backend, std::string label, Watched watched)
    : backend_(shared(std::move(backend))),
      label_(std::move(label)),
      traffic_(std::make_shared<Traffic>()),
      watched_(std::make_shared<Watched>(std::move(watched))),
      order_(std::make_shared<Order>()) {
  if (!backend_) return;
  rank_ = backend_->getRank();
  size_ = backend_->getSize();
}

// Copies that exist only during an operation are booked as `exchange`; a result is booked by its caller.
at::Tensor Group::flat(const at::Tensor& values) const {
  const Accounted booked(Account::exchange);
  return values.detach().contiguous().view({-1}).to(device_for(*backend_, values));
}

at::Tensor Group::space_for(const at::Tensor& values) const {
  return at::empty({values.numel()}, values.options().device(device_for(*backend_, values)));
}

void Group::count(int64_t bytes) const {
  traffic_->bytes_sent += bytes;
  traffic_->operations += 1;
}

Order Group::take_order() const { return std::exchange(*order_, {}); }

template <class... Agreed>
Ticket Group::issue(const char* name, const Agreed&... agreed) const {
  if (!watched_->watch) return {};
  if (watched_->watch->keeps_order()) {
    constexpr size_t kept = 1024;
    order_->recent.push_back(text(name, agreed...));
    if (order_->recent.size() > kept) order_->recent.pop_front();
    order_->hash = c10::hash_combine(order_->hash, std::hash<std::string>{}(order_->recent.back()));
    order_->count += 1;
  }
  return {watched_, watched_->watch->issue(watched_->id, label_, name), std::nullopt};
}

Ticket Group::issue_message(Side side, int source, int destination, int tag) const {
  if (!watched_->watch) return {};
  const bool sends = side == Side::sends;
  const int64_t channel = (int64_t{tag} * size_ + source) * size_ + destination;
  return {watched_, watched_->watch->issue(watched_->id, label_, sends ? "send" : "receive", side, channel),
          sends ? destination : source};
}

Pending Group::all_to_all(const at::Tensor& rows, const Counts& send_rows, const Counts& receive_rows) const {
  return exchange("all_to_all", rows, send_rows, receive_rows);
}

Pending Group::exchange(const char* name, const at::Tensor& rows, const Counts& send_rows,
                        const Counts& receive_rows) const {
  const int64_t row = row_elements(rows);
  GRATICULE_CHECK(std::ssize(send_rows) == size_ && std::ssize(receive_rows) == size_, label_, " has ", size_,
                  " ranks");
  GRATICULE_CHECK(sum_of(send_rows) == rows.size(0), sum_of(send_rows), " rows to send of ", rows.size(0));
  if (size_ == 1) return Pending(rows);
  Counts send = scaled(send_rows, row), receive = scaled(receive_rows, row);
  at::Tensor in = flat(rows), out = at::empty({sum_of(receive)}, in.options());
  count((in.numel() - send[rank_]) * in.element_size());
  Ticket ticket = issue(name, " of rows of ", row, " ", rows.scalar_type());
  auto work = backend_->alltoall_base(out, in, receive, send);
  return {std::move(work),
          {in, out},
          [out, shape = shape_with(rows, sum_of(receive_rows)), device = rows.device()] {
            return out.view(shape).to(device);
          },
          std::move(ticket)};
}

Pending Group::all_gather(const at::Tensor& rows, const Counts& rows_of) const {
  const int64_t row = row_elements(rows);
  GRATICULE_CHECK(std::ssize(rows_of) == size_, label_, " has ", size_, " ranks, rows of ", rows_of.size(),
                  " given");
  GRATICULE_CHECK(rows_of[rank_] == rows.size(0), rows.size(0), " rows where ", rows_of[rank_],
                  " were announced");
  if (size_ == 1) return Pending(rows);
  const Counts elements = scaled(rows_of, row);
  at::Tensor in = flat(rows), out = at::empty({sum_of(elements)}, in.options());
  count(in.numel() * (size_ - 1) * in.element_size());
  Ticket ticket =
      issue("all_gather", " of rows ", c10::IntArrayRef(rows_of), " of ", row, " ", rows.scalar_type());
  c10::intrusive_ptr<c10d::Work> work;
  if (std::equal(elements.begin() + 1, elements.end(), elements.begin())) {
    work = backend_->_allgather_base(out, in);
  } else {
    std::vector<std::vector<at::Tensor>> outs = {out.split_with_sizes(elements)};
    std::vector<at::Tensor> ins = {in};
    work = backend_->allgather(outs, ins);
  }
  return {std::move(work),
          {in, out},
          [out, shape = shape_with(rows, sum_of(rows_of)), device = rows.device()] {
            return out.view(shape).to(device);
          },
          std::move(ticket)};
}

Pending Group::reduce_scatter(const at::Tensor& rows, const Counts& rows_of,
                              std::optional<at::ScalarType> result) const {
  const at::ScalarType type = result.value_or(rows.scalar_type());
  GRATICULE_CHECK(std::ssize(rows_of) == size_, label_, " has ", size_, " ranks, rows of ", rows_of.size(),
                  " given");
  if (size_ == 1) return Pending(rows.to(type));
  const int64_t row = row_elements(rows), mine = rows_of[rank_] * row;
  GRATICULE_CHECK(sum_of(rows_of) == rows.size(0), sum_of(rows_of), " rows to sum of ", rows.size(0));
  const at::Tensor in = flat(rows), received = [&] {
    const Accounted booked(Account::exchange);
    return at::empty({size_ * mine}, in.options());
  }();
  std::vector<at::Tensor> send = in.split_with_sizes(scaled(rows_of, row));
  std::vector<at::Tensor> parts = received.split_with_sizes(Counts(size_, mine));
  if (in.is_cpu()) parts[rank_] = send[rank_];  // summed in place, without a copy
  count((in.numel() - mine) * in.element_size());
  Ticket ticket =
      issue("reduce_scatter", " of rows ", c10::IntArrayRef(rows_of), " of ", row, " ", rows.scalar_type());
  auto work = backend_->alltoall(parts, send);
  return {std::move(work),
          {in, received},
          [parts, type, shape = shape_with(rows, rows_of[rank_]), device = rows.device()] {
            return sum_of_parts(parts, type).view(shape).to(device);
          },
          std::move(ticket)};
}

Pending Group::all_reduce(const at::Tensor& values, Reduction reduction) const {
  if (size_ == 1) return Pending(values);
  const at::ScalarType type = values.scalar_type();
  const Counts spans = span_sizes(values.numel(), size_);
  const bool half = is_half(type);
  if (reduction == Reduction::sum && half) {
    return reduce_scatter(flat(values), spans)
        .then([group = *this, spans, shape = values.sizes().vec(),
               device = values.device()](const at::Tensor& mine) {
          return group.all_gather(mine, spans).wait().view(shape).to(device);
        });
  }
  // Half types reach this point for maximum and minimum only, which fp32 holds exactly.
  at::Tensor in = flat(values);
  std::vector<at::Tensor> inout = {in.to(half ? at::kFloat : type, /*non_blocking=*/false, /*copy=*/true)};
  const int64_t mine = spans[rank_];
  count((values.numel() - mine + mine * (size_ - 1)) * inout[0].element_size());
  c10d::AllreduceOptions options;
  options.reduceOp = reduce_op(reduction);
  Ticket ticket =
      issue("all_reduce", " of ", values.numel(), " ", type, ", reduction ", static_cast<int>(reduction));
  auto work = backend_->allreduce(inout, options);
  return {std::move(work), inout,
          [out = inout[0], shape = values.sizes().vec(), to = values.options()] {
            return out.view(shape).to(to);
          },
          std::move(ticket)};
}

Pending Group::broadcast(const at::Tensor& values, int root) const {
  GRATICULE_CHECK(0 <= root && root < size_, "root ", root, " in ", label_, " of ", size_);
  if (size_ == 1) return Pending(values);
  std::vector<at::Tensor> inout = {rank_ == root ? flat(values) : space_for(values)};
  count(rank_ == root ? values.numel() * values.element_size() * (size_ - 1) : 0);
  c10d::BroadcastOptions options;
  options.rootRank = root;
  Ticket ticket = issue("broadcast", " of ", values.numel(), " ", values.scalar_type(), " from ", root);
  auto work = backend_->broadcast(inout, options);
  return {std::move(work), inout,
          [out = inout[0], shape = values.sizes().vec(), device = values.device()] {
            return out.view(shape).to(device);
          },
          std::move(ticket)};
}

Pending Group::send(const at::Tensor& values, int destination, int tag) const {
  GRATICULE_CHECK(0 <= destination && destination < size_ && destination != rank_, "destination ",
                  destination, " in ", label_, " of ", size_);
  std::vector<at::Tensor> in = {flat(values)};
  count(in[0].numel() * in[0].element_size());
  Ticket ticket = issue_message(Side::sends, rank_, destination, tag);
  auto work = backend_->send(in, destination, tag);
  return {std::move(work), in, [values] { return values; }, std::move(ticket)};
}

Pending Group::receive(const at::Tensor& like, int source, int tag) const {
  GRATICULE_CHECK(0 <= source && source < size_ && source != rank_, "source ", source, " in ", label_, " of ",
                  size_);
  std::vector<at::Tensor> out = {space_for(like)};
  count(0);
  Ticket ticket = issue_message(Side::receives, source, rank_, tag);
  auto work = backend_->recv(out, source, tag);
  return {std::move(work), out,
          [out = out[0], shape = like.sizes().vec(), device = like.device()] {
            return out.view(shape).to(device);
          },
          std::move(ticket)};
}

Pending Group::shift(const at::Tensor& values, const at::Tensor& like, int by) const {
  const int step = (by % size_ + size_) % size_;
  if (step == 0) return Pending(values);
  Counts send(size_, 0), receive(size_, 0);
  send[(rank_ + step) % size_] = values.numel();
  receive[(rank_ - step + size_) % size_] = like.numel();
  return exchange("shift", values.reshape({-1}), send, receive)
      .then([shape = like.sizes().vec()](const at::Tensor& received) { return received.view(shape); });
}

void Group::barrier() const {
  if (size_ == 1) return;
  count(0);
  const Ticket ticket = issue("barrier");
  const auto work = backend_->barrier();
  const Waiting waiting(ticket);
  work->wait();
}

int place_in(const std::vector<int>& members, int rank) {
  const auto place = std::find(members.begin(), members.end(), rank);
  GRATICULE_CHECK(place != members.end(), "rank ", rank, " is not among the members of its group");
  return static_cast<int>(place - members.begin());
}

}  // namespace graticule

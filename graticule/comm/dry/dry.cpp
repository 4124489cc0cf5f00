#include "graticule/comm/dry/dry.h"

#include <ATen/record_function.h>

#include <utility>

#include "graticule/comm/backend.h"
#include "graticule/core/error.h"
#include "graticule/core/span.h"

namespace graticule {
namespace {

/// A rank's listener and the number of exchanges so far. All groups of the rank share it.
struct Ear {
  DryListener listener;
  int64_t heard = 0;
};

class DryWork : public c10d::Work {
 public:
  explicit DryWork(std::function<void()> waited) : waited_(std::move(waited)) {}
  bool isCompleted() override {
    waited_ = nullptr;
    return true;
  }
  bool wait(std::chrono::milliseconds) override {
    if (const auto waited = std::exchange(waited_, nullptr)) waited();
    return true;
  }

 private:
  std::function<void()> waited_;
};

// Fills a tensor that another rank would write. That is no work of this rank, so PyTorch's profilers must not
// see it.
void arrives(const at::Tensor& values) {
  const at::DisableRecordFunctionGuard unseen;
  values.zero_();
}

int64_t bytes_of(const at::Tensor& values) { return values.numel() * values.element_size(); }

class DryBackend : public c10d::Backend {
 public:
  using Works = c10::intrusive_ptr<c10d::Work>;
  using Tensors = std::vector<at::Tensor>;
  using Kind = DryExchange::Kind;
  DryBackend(std::shared_ptr<Ear> ear, std::string label, std::vector<int> members, int rank)
      : Backend(rank, static_cast<int>(members.size())),
        ear_(std::move(ear)),
        label_(std::move(label)),
        members_(std::move(members)) {}

  // NOLINTNEXTLINE(readability-const-return-type): as PyTorch declares it.
  const std::string getBackendName() const override { return "dry"; }

  Works alltoall_base(at::Tensor& out, at::Tensor& in, std::vector<int64_t>&, std::vector<int64_t>& send,
                      const c10d::AllToAllOptions&) override {
    arrives(out);
    std::vector<int64_t> bytes = send;
    for (int64_t& count : bytes) count *= in.element_size();
    return started({Kind::all_to_all, std::move(bytes)});
  }
  Works alltoall(Tensors& out, Tensors& in, const c10d::AllToAllOptions&) override {
    for (size_t source = 0; source < out.size(); ++source) {
      if (static_cast<int>(source) != rank_) arrives(out[source]);
    }
    return started({Kind::all_to_all, bytes_of_each(in)});
  }
  Works _allgather_base(at::Tensor& out, at::Tensor& in, const c10d::AllgatherOptions&) override {
    arrives(out);
    return started({Kind::all_gather, std::vector<int64_t>(members_.size(), bytes_of(in))});
  }
  Works allgather(std::vector<Tensors>& out, Tensors&, const c10d::AllgatherOptions&) override {
    for (at::Tensor& part : out[0]) arrives(part);
    return started({Kind::all_gather, bytes_of_each(out[0])});
  }
  Works allreduce(Tensors& values, const c10d::AllreduceOptions&) override {
    arrives(values[0]);
    std::vector<int64_t> bytes = span_sizes(values[0].numel(), getSize());
    for (int64_t& count : bytes) count *= values[0].element_size();
    return started({Kind::all_reduce, std::move(bytes)});
  }
  Works broadcast(Tensors& values, const c10d::BroadcastOptions& options) override {
    const int root = static_cast<int>(options.rootRank);
    if (root != rank_) arrives(values[0]);
    return started({Kind::broadcast, {bytes_of(values[0])}, root});
  }
  Works send(Tensors& values, int to, int tag) override {
    return started({Kind::send, {bytes_of(values[0])}, to, tag});
  }
  Works recv(Tensors& values, int from, int tag) override {
    arrives(values[0]);
    return started({Kind::receive, {bytes_of(values[0])}, from, tag});
  }
  Works barrier(const c10d::BarrierOptions&) override { return started({}); }

 private:
  static std::vector<int64_t> bytes_of_each(const Tensors& parts) {
    std::vector<int64_t> bytes;
    for (const at::Tensor& part : parts) bytes.push_back(bytes_of(part));
    return bytes;
  }

  Works started(DryExchange exchange) {
    const int64_t number = ear_->heard++;
    if (ear_->listener.started) ear_->listener.started(label_, members_, std::move(exchange));
    return c10::make_intrusive<DryWork>([ear = ear_, number] {
      if (ear->listener.waited) ear->listener.waited(number);
    });
  }

  std::shared_ptr<Ear> ear_;
  std::string label_;
  std::vector<int> members_;
};

}  // namespace

World dry_world(int rank, int size, int local_size, const DryListener& listener) {
  GRATICULE_CHECK(0 <= rank && rank < size && local_size > 0, "rank ", rank, " of ", size, ", ", local_size,
                  " a node");
  const int first = rank / local_size * local_size;
  World world{rank, size, rank - first, std::min(local_size, size - first), nullptr, nullptr};
  world.split = [rank, ear = std::make_shared<Ear>(Ear{listener})](const std::vector<int>& members,
                                                                   const std::string& label) {
    const int place = place_in(members, rank);
    if (members.size() == 1) return Group(label);
    return Group(c10::make_intrusive<DryBackend>(ear, label, members, place), label);
  };
  world.abort = [](int code) { fail("dry", "the job was ended with code ", code); };
  return world;
}

}  // namespace graticule

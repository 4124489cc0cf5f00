#include "graticule/comm/dry.h"

#include "graticule/core/error.h"

namespace graticule {
namespace {

class DryWork : public c10d::Work {
 public:
  bool isCompleted() override { return true; }
  bool wait(std::chrono::milliseconds) override { return true; }
};

class DryBackend : public c10d::Backend {
 public:
  using Works = c10::intrusive_ptr<c10d::Work>;
  using Tensors = std::vector<at::Tensor>;
  using Backend::Backend;

  const std::string getBackendName() const override { return "dry"; }

  Works alltoall_base(at::Tensor& out, at::Tensor&, std::vector<int64_t>&, std::vector<int64_t>&,
                      const c10d::AllToAllOptions&) override {
    return zeros(out);
  }
  Works alltoall(Tensors& out, Tensors&, const c10d::AllToAllOptions&) override {
    for (size_t source = 0; source < out.size(); ++source) {
      if (static_cast<int>(source) != rank_) out[source].zero_();
    }
    return done();
  }
  Works _allgather_base(at::Tensor& out, at::Tensor&, const c10d::AllgatherOptions&) override {
    return zeros(out);
  }
  Works allgather(std::vector<Tensors>& out, Tensors&, const c10d::AllgatherOptions&) override {
    for (at::Tensor& part : out[0]) part.zero_();
    return done();
  }
  Works allreduce(Tensors& values, const c10d::AllreduceOptions&) override { return zeros(values[0]); }
  Works broadcast(Tensors& values, const c10d::BroadcastOptions& options) override {
    return options.rootRank == rank_ ? done() : zeros(values[0]);
  }
  Works send(Tensors&, int, int) override { return done(); }
  Works recv(Tensors& values, int, int) override { return zeros(values[0]); }
  Works barrier(const c10d::BarrierOptions&) override { return done(); }

 private:
  static Works done() { return c10::make_intrusive<DryWork>(); }
  static Works zeros(const at::Tensor& out) {
    out.zero_();
    return done();
  }
};

}  // namespace

World dry_world(int rank, int size, int local_size) {
  GRATICULE_CHECK(0 <= rank && rank < size && local_size > 0, "rank ", rank, " of ", size, ", ", local_size,
                  " a node");
  const int first = rank / local_size * local_size;
  World world{rank, size, rank - first, std::min(local_size, size - first), nullptr, nullptr};
  world.split = [rank](const std::vector<int>& members, const std::string& label) {
    const int place = place_in(members, rank);
    if (members.size() == 1) return Group(nullptr, label);
    return Group(c10::make_intrusive<DryBackend>(place, static_cast<int>(members.size())), label);
  };
  world.abort = [](int code) { fail("dry", "the job was ended with code ", code); };
  return world;
}

}  // namespace graticule

// A collective runs on a stream of the group, beside the current stream. wait() makes the current stream wait
// for it, and not the host. NCCL's own watchdog finds operations that hang; it gets our time-out.
#include "graticule/comm/nccl/nccl.h"

#include <c10/core/impl/VirtualGuardImpl.h>

#include <cstdlib>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "graticule/comm/backend.h"
#include "graticule/core/error.h"

namespace graticule {
namespace {

using c10d::ProcessGroupNCCL;
using Store = c10::intrusive_ptr<c10d::Store>;

/// NCCL's time-out. It cannot be turned off, so "no limit" is a year.
std::chrono::milliseconds limit(double timeout) {
  constexpr double year = 365 * 86400.0;
  return std::chrono::milliseconds(static_cast<int64_t>(1000 * (timeout > 0 ? timeout : year)));
}

c10::intrusive_ptr<ProcessGroupNCCL::Options> options_of(const std::vector<int>& members,
                                                         const std::string& label, double timeout) {
  auto options = ProcessGroupNCCL::Options::create(/*is_high_priority_stream=*/true);
  options->timeout = limit(timeout);
  options->group_name = label;
  options->group_desc = label;
  options->global_ranks_in_group.assign(members.begin(), members.end());
  return options;
}

/// Two backends for one group. LibTorch runs all messages between two ranks on one stream, so two ranks that
/// both send first would wait for each other for ever. Messages to lower ranks therefore use a backend of
/// their own. NCCL has no tags: messages of one direction are paired in their order.
class NcclBackend : public ProcessGroupNCCL {
 public:
  using Works = c10::intrusive_ptr<c10d::Work>;

  NcclBackend(const Store& store, const std::string& prefix, int rank, const std::vector<int>& members,
              const std::string& label, double timeout, at::Device device)
      : ProcessGroupNCCL(c10::make_intrusive<c10d::PrefixStore>(prefix, store), rank,
                         static_cast<int>(members.size()), options_of(members, label, timeout)),
        downwards_(c10::make_intrusive<ProcessGroupNCCL>(
            c10::make_intrusive<c10d::PrefixStore>(prefix + "/downwards", store), rank,
            static_cast<int>(members.size()), options_of(members, label + " downwards", timeout))) {
    setBoundDeviceId(device);
    downwards_->setBoundDeviceId(device);
  }

  Works send(std::vector<at::Tensor>& values, int destination, int tag) override {
    if (destination < getRank()) return downwards_->send(values, destination, tag);
    return ProcessGroupNCCL::send(values, destination, tag);
  }
  Works recv(std::vector<at::Tensor>& values, int source, int tag) override {
    if (source > getRank()) return downwards_->recv(values, source, tag);
    return ProcessGroupNCCL::recv(values, source, tag);
  }

 private:
  c10::intrusive_ptr<ProcessGroupNCCL> downwards_;
};

}  // namespace

bool nccl_is_built_in() { return true; }

World nccl_world(const NcclPlace& place) {
  const at::Device device(at::kCUDA, static_cast<c10::DeviceIndex>(place.local_rank));
  c10::impl::VirtualGuardImpl(at::kCUDA).setDevice(device);
  c10d::TCPStoreOptions meeting;
  meeting.port = static_cast<uint16_t>(place.port);
  meeting.isServer = place.rank == 0;
  meeting.numWorkers = place.size;
  const Store store = c10::make_intrusive<c10d::TCPStore>(place.address, meeting);
  World world{place.rank,
              place.size,
              place.local_rank,
              place.local_size,
              nullptr,
              nullptr,
              std::make_shared<Watch>(place.rank)};
  world.split = [place, device, store, watch = world.watch, next = std::make_shared<int64_t>(0)](
                    const std::vector<int>& members, const std::string& label) {
    const int64_t number = (*next)++;
    const int rank = place_in(members, place.rank);
    if (members.size() == 1) return Group(label);
    const auto prefix = text(label, "/", number, "/", members.front());
    return Group(
        c10::make_intrusive<NcclBackend>(store, prefix, rank, members, label, watch->timeout(), device),
        label, {watch, group_id(number, members), members});
  };
  // NCCL cannot end other processes. Their launcher (torchrun, srun --kill-on-bad-exit) ends them when this
  // process ends.
  world.abort = [](int code) { std::_Exit(code); };
  return world;
}

}  // namespace graticule

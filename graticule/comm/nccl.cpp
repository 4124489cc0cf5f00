#include "graticule/comm/nccl.h"

#include <c10/core/impl/VirtualGuardImpl.h>

#include <cstdlib>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "graticule/core/error.h"

namespace graticule {

bool nccl_is_built_in() { return true; }

World nccl_world(const NcclPlace& place) {
  const at::Device device(at::kCUDA, static_cast<c10::DeviceIndex>(place.local_rank));
  c10::impl::VirtualGuardImpl(at::kCUDA).setDevice(device);
  c10d::TCPStoreOptions meeting;
  meeting.port = static_cast<uint16_t>(place.port);
  meeting.isServer = place.rank == 0;
  meeting.numWorkers = place.size;
  const c10::intrusive_ptr<c10d::Store> store = c10::make_intrusive<c10d::TCPStore>(place.address, meeting);
  World world{place.rank, place.size, place.local_rank, place.local_size, nullptr, nullptr};
  world.split = [=, next = std::make_shared<int>(0)](const std::vector<int>& members,
                                                     const std::string& label) {
    const int number = (*next)++, rank = place_in(members, place.rank);
    if (members.size() == 1) return Group(nullptr, label);
    const auto prefix = text(label, "/", number, "/", members.front());
    auto backend = c10::make_intrusive<c10d::ProcessGroupNCCL>(
        c10::make_intrusive<c10d::PrefixStore>(prefix, store), rank, static_cast<int>(members.size()));
    backend->setBoundDeviceId(device);
    return Group(std::move(backend), label);
  };
  // NCCL has no way to end other processes: their launcher (torchrun, srun --kill-on-bad-exit) does when this
  // one ends.
  world.abort = [](int code) { std::_Exit(code); };
  return world;
}

}  // namespace graticule

// Messages of one pair of ranks with one tag arrive in the order of issue. Each view has tags of its own, far
// from those that programs use.
#include "graticule/comm/process_group/process_group.h"

#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>
#include <exception>
#include <torch/csrc/distributed/c10d/GroupRegistry.hpp>

#include "graticule/comm/backend.h"
#include "graticule/core/error.h"

namespace graticule {
namespace {

using Tensors = std::vector<at::Tensor>;
using Works = c10::intrusive_ptr<c10d::Work>;

constexpr int first_tag = 1 << 30, tags_of_view = 1 << 12;

/// Several operations of the process group that make one of ours. It keeps their buffers.
class SeveralWorks : public c10d::Work {
 public:
  SeveralWorks(const char* operation, std::string label, Tensors buffers)
      : operation_(operation), label_(std::move(label)), buffers_(std::move(buffers)) {}

  void add(Works work) { works_.push_back(std::move(work)); }

  bool isCompleted() override {
    return std::all_of(works_.begin(), works_.end(), [](const Works& work) { return work->isCompleted(); });
  }

  bool wait(std::chrono::milliseconds timeout) override {
    for (const Works& work : works_) {
      try {
        work->wait(timeout);
      } catch (const c10::Error& error) {
        fail(label_, operation_, " failed: ", error.what_without_backtrace());
      } catch (const std::exception& error) {
        fail(label_, operation_, " failed: ", error.what());
      }
    }
    return true;
  }

 private:
  const char* operation_;
  std::string label_;
  Tensors buffers_;
  std::vector<Works> works_;
};

/// Some ranks of a process group. It doesn't keep the process group: a program may destroy it while graphs of
/// autograd still hold views, and Gloo must end its threads then, not after Python has ended.
class ProcessGroupView : public c10d::Backend {
 public:
  /// `device`: of the process group's back end that carries the messages. `members`: its ranks in this view.
  ProcessGroupView(const c10::intrusive_ptr<c10d::ProcessGroup>& group, c10::DeviceType device,
                   const std::vector<int>& members, std::string label, int number, bool by_messages)
      : Backend(place_in(members, group->getRank()), static_cast<int>(members.size())),
        group_(group),
        device_(device),
        members_(members),
        label_(std::move(label)),
        first_tag_(first_tag + number * tags_of_view),
        by_messages_(by_messages) {}

  // NOLINTNEXTLINE(readability-const-return-type): as PyTorch declares it.
  const std::string getBackendName() const override { return "process_group"; }

  Works alltoall_base(at::Tensor& out, at::Tensor& in, std::vector<int64_t>& receive,
                      std::vector<int64_t>& send, const c10d::AllToAllOptions&) override {
    return exchange("all_to_all", in.split_with_sizes(send), out.split_with_sizes(receive));
  }
  Works alltoall(Tensors& out, Tensors& in, const c10d::AllToAllOptions&) override {
    return exchange("all_to_all", in, out);
  }
  Works _allgather_base(at::Tensor& out, at::Tensor& in, const c10d::AllgatherOptions&) override {
    return exchange("all_gather", Tensors(size_, in),
                    out.split_with_sizes(std::vector<int64_t>(size_, in.numel())));
  }
  Works allgather(std::vector<Tensors>& out, Tensors& in, const c10d::AllgatherOptions&) override {
    return exchange("all_gather", Tensors(size_, in[0]), out[0]);
  }
  Works broadcast(Tensors& values, const c10d::BroadcastOptions& options) override {
    const at::Tensor none = values[0].new_empty({0});
    Tensors in(size_, none), out(size_, none);
    if (rank_ == options.rootRank) {
      in.assign(size_, values[0]);
      in[rank_] = none;
    } else {
      out[static_cast<size_t>(options.rootRank)] = values[0];
    }
    return exchange("broadcast", in, out);
  }
  Works send(Tensors& values, int destination, int tag) override {
    auto work = started("send", values);
    work->add(within()->send(values, members_[destination], user_tag(tag)));
    return work;
  }
  Works recv(Tensors& values, int source, int tag) override {
    auto work = started("receive", values);
    work->add(within()->recv(values, members_[source], user_tag(tag)));
    return work;
  }

 private:
  int user_tag(int tag) const { return first_tag_ + 1 + tag; }

  c10::intrusive_ptr<c10d::Backend> within() const {
    const auto group = group_.lock();
    if (!group)
      fail(label_,
           "the program has destroyed its process group: call destroy_process_group after "
           "the last forward and backward");
    return group->getBackend(device_);
  }

  c10::intrusive_ptr<SeveralWorks> started(const char* operation, Tensors buffers) const {
    return c10::make_intrusive<SeveralWorks>(operation, label_, std::move(buffers));
  }

  /// Sends in[r] to each rank r and receives out[r] from it.
  Works exchange(const char* operation, const Tensors& in, const Tensors& out) const {
    return by_messages_ ? exchange_messages(operation, in, out) : exchange_lists(operation, in, out);
  }

  /// Each rank starts with its own neighbour, so that no rank is the first target of all.
  Works exchange_messages(const char* operation, const Tensors& in, const Tensors& out) const {
    const auto backend = within();
    Tensors buffers = in;
    buffers.insert(buffers.end(), out.begin(), out.end());
    auto work = started(operation, std::move(buffers));
    for (int step = 1; step < size_; ++step) {
      const int source = (rank_ - step + size_) % size_;
      Tensors values = {out[source]};
      if (values[0].numel() > 0) work->add(backend->recv(values, members_[source], first_tag_));
    }
    for (int step = 1; step < size_; ++step) {
      const int destination = (rank_ + step) % size_;
      Tensors values = {in[destination]};
      if (values[0].numel() > 0) work->add(backend->send(values, members_[destination], first_tag_));
    }
    if (out[rank_].numel() > 0 && !out[rank_].is_same(in[rank_])) out[rank_].copy_(in[rank_]);
    return work;
  }

  /// The ranks outside the view send and receive nothing.
  Works exchange_lists(const char* operation, const Tensors& in, const Tensors& out) const {
    const auto backend = within();
    const at::Tensor none = in[rank_].new_empty({0});
    const auto ranks = static_cast<size_t>(backend->getSize());
    Tensors all_in(ranks, none), all_out(ranks, none);
    for (int place = 0; place < size_; ++place) {
      all_in[members_[place]] = in[place];
      all_out[members_[place]] = out[place];
    }
    auto work = started(operation, all_in);
    work->add(backend->alltoall(all_out, all_in));
    return work;
  }

  c10::weak_intrusive_ptr<c10d::ProcessGroup> group_;
  c10::DeviceType device_;
  std::vector<int> members_;
  std::string label_;
  int first_tag_;
  bool by_messages_;
};

bool has_backend(const c10d::ProcessGroup& group, c10::DeviceType device) {
  const auto devices = group.getDeviceTypes();
  return std::any_of(devices.begin(), devices.end(), [&](at::Device own) { return own.type() == device; });
}

/// The device whose back end takes tensors of `device`: itself, or else the host, or else the first one.
c10::DeviceType device_within(const c10d::ProcessGroup& group, c10::DeviceType device) {
  if (has_backend(group, device)) return device;
  return has_backend(group, at::kCPU) ? at::kCPU : group.getDeviceTypes().at(0).type();
}

}  // namespace

World process_group_world(const std::string& name, c10::DeviceType device) {
  const auto group = c10d::resolve_process_group(name);
  const c10::DeviceType own = device_within(*group, device);
  const std::string kind = group->getBackend(own)->getBackendName();
  const bool by_messages = own == at::kCPU || kind == "gloo" || kind == "mpi";
  std::optional<at::Device> bound;  // where tensors travel, if not on their own device
  if (by_messages && device != at::kCPU) bound = at::Device(at::kCPU, 0);
  if (!by_messages && device != own) bound = c10::impl::VirtualGuardImpl(own).getDevice();
  World world;
  world.rank = group->getRank();
  world.size = group->getSize();
  world.split = [=, next = std::make_shared<int>(0)](const std::vector<int>& members,
                                                     const std::string& label) {
    const int number = (*next)++;
    if (members.size() == 1) return Group(label);
    auto view = c10::make_intrusive<ProcessGroupView>(group, own, members, label, number, by_messages);
    if (bound) view->setBoundDeviceId(*bound);
    return Group(std::move(view), label);
  };
  world.abort = [](int) { fail("process group", "a rank cannot end the others"); };
  return world;
}

}  // namespace graticule

// All ranks of a job share one ThreadJob with one lock and one condition. The rank that arrives last performs
// a collective.
#include "graticule/comm/threads/threads.h"

#include <ATen/Parallel.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/minimum.h>

#include <algorithm>
#include <cmath>
#include <condition_variable>
#include <exception>
#include <map>
#include <mutex>
#include <thread>
#include <tuple>

#include "graticule/comm/backend.h"
#include "graticule/core/error.h"

namespace graticule {
namespace {

struct ThreadJob;

/// One rank's part of a collective. An exchange fills rank d's receive[s] from rank s's send[d]. A reduction
/// works in place on send[0] of every rank. An undefined tensor is skipped.
struct Call {
  std::string name;
  std::vector<at::Tensor> send, receive;
  std::optional<c10d::ReduceOp> reduction;
};

struct Collective {
  std::map<int, Call> calls;  ///< by rank
  bool done = false;
};

/// The messages of one (source, destination, tag). They are numbered, so that the n-th receive gets the n-th
/// send.
struct Channel {
  std::map<int64_t, at::Tensor> messages;
  int64_t sent = 0, received = 0;
};

/// The state that the ranks of one group share.
struct Hub {
  std::string label;
  std::vector<int> members;
  std::map<int64_t, std::shared_ptr<Collective>> collectives;  ///< by number; erased when all ranks have come
  std::map<std::tuple<int, int, int>, Channel> channels;
};

struct ThreadJob {
  std::mutex mutex;
  std::condition_variable changed;
  std::exception_ptr error;                                      ///< the first error of a rank
  std::map<std::pair<int64_t, int>, std::shared_ptr<Hub>> hubs;  ///< by number of the split and first member
  std::vector<std::shared_ptr<Watch>> watches;                   ///< by rank; the vector never changes

  void fail_with(std::exception_ptr with) {
    const std::lock_guard lock(mutex);
    if (!error) error = std::move(with);
    changed.notify_all();
  }

  /// Waits for `ready` as world rank `rank`. Throws when a rank has failed or the wait lasts too long.
  template <class Ready>
  void await(std::unique_lock<std::mutex>& lock, int rank, const Ready& ready) {
    const auto ended = [&] { return error || ready(); };
    const double timeout = watches[rank]->timeout();
    if (timeout <= 0) changed.wait(lock, ended);
    // This uses the system's clock, because ThreadSanitizer does not know waits by the steady clock.
    const auto in = [](double seconds) {
      return std::chrono::system_clock::now() + std::chrono::milliseconds(std::lround(1000 * seconds));
    };
    for (double next = timeout; !changed.wait_until(lock, in(next), ended); next = grace(timeout))
      look(rank, timeout);
    if (!ready()) fail("threads", "another rank failed");
  }

  /// Ends the job when rank `rank` has waited too long.
  void look(int rank, double timeout) {
    const auto overdue = watches[rank]->overdue(timeout);
    if (!overdue) return;
    std::vector<Standing> others;
    for (const int other : overdue->others) others.push_back(watches[other]->standing(overdue->operation));
    const auto message = verdict(rank, *overdue, others, watches[rank]->step(), timeout + grace(timeout),
                                 watches[rank]->timeout_setting());
    if (!message) return;
    error = std::make_exception_ptr(std::runtime_error(*message));
    changed.notify_all();
  }
};

void exchange(const Hub& hub, std::map<int, Call>& calls) {
  for (auto& [destination, to] : calls) {
    for (auto& [source, from] : calls) {
      const at::Tensor& in = from.send[destination];
      const at::Tensor& out = to.receive[source];
      const int64_t sent = in.defined() ? in.numel() : 0, expected = out.defined() ? out.numel() : 0;
      if (sent != expected) {
        fail(hub.label, to.name, ": rank ", source, " sends ", sent, " elements, rank ", destination,
             " expects ", expected);
      }
      if (expected > 0 && !out.is_same(in)) out.copy_(in);
    }
  }
}

void reduce(std::map<int, Call>& calls) {
  at::Tensor total = calls.at(0).send[0].clone();
  for (auto& [rank, call] : calls) {
    const at::Tensor& values = call.send[0];
    if (rank == 0) continue;
    if (*call.reduction == c10d::ReduceOp::SUM) total.add_(values);
    if (*call.reduction == c10d::ReduceOp::MAX) total = at::maximum(total, values);
    if (*call.reduction == c10d::ReduceOp::MIN) total = at::minimum(total, values);
  }
  for (auto& [rank, call] : calls) call.send[0].copy_(total);
}

void perform(const Hub& hub, std::map<int, Call>& calls) {
  const Call& first = calls.at(0);
  for (const auto& [rank, call] : calls) {
    if (call.name != first.name) {
      fail(hub.label, "rank 0 issued ", first.name, ", rank ", rank, " issued ", call.name,
           " in the same place");
    }
  }
  first.reduction ? reduce(calls) : exchange(hub, calls);
}

class ThreadWork : public c10d::Work {
 public:
  /// `rank`: the world rank.
  ThreadWork(std::shared_ptr<ThreadJob> job, int rank, std::function<bool()> ready,
             std::function<void()> take = nullptr)
      : job_(std::move(job)), rank_(rank), ready_(std::move(ready)), take_(std::move(take)) {}

  bool isCompleted() override {
    const std::lock_guard lock(job_->mutex);
    return ready_();
  }

  bool wait(std::chrono::milliseconds) override {
    std::unique_lock lock(job_->mutex);
    job_->await(lock, rank_, ready_);
    if (take_) take_();
    return true;
  }

 private:
  std::shared_ptr<ThreadJob> job_;
  int rank_;
  std::function<bool()> ready_;
  std::function<void()> take_;
};

class ThreadBackend : public c10d::Backend {
 public:
  using Works = c10::intrusive_ptr<c10d::Work>;
  using Tensors = std::vector<at::Tensor>;

  ThreadBackend(int rank, int size, std::shared_ptr<ThreadJob> job, std::shared_ptr<Hub> hub)
      : Backend(rank, size), job_(std::move(job)), hub_(std::move(hub)) {}

  // NOLINTNEXTLINE(readability-const-return-type): as PyTorch declares it.
  const std::string getBackendName() const override { return "threads"; }

  Works alltoall_base(at::Tensor& out, at::Tensor& in, std::vector<int64_t>& receive,
                      std::vector<int64_t>& send, const c10d::AllToAllOptions&) override {
    return post({"all_to_all", in.split_with_sizes(send), out.split_with_sizes(receive), {}});
  }
  Works alltoall(Tensors& out, Tensors& in, const c10d::AllToAllOptions&) override {
    return post({"all_to_all", in, out, {}});
  }
  Works _allgather_base(at::Tensor& out, at::Tensor& in, const c10d::AllgatherOptions&) override {
    const std::vector<int64_t> sizes(size_, in.numel());
    return post({"all_gather", Tensors(size_, in), out.split_with_sizes(sizes), {}});
  }
  Works allgather(std::vector<Tensors>& out, Tensors& in, const c10d::AllgatherOptions&) override {
    return post({"all_gather", Tensors(size_, in[0]), out[0], {}});
  }
  Works allreduce(Tensors& values, const c10d::AllreduceOptions& options) override {
    return post({"all_reduce", values, {}, options.reduceOp});
  }
  Works broadcast(Tensors& values, const c10d::BroadcastOptions& options) override {
    Call call{"broadcast", Tensors(size_), Tensors(size_), {}};
    const auto root = static_cast<size_t>(options.rootRank);
    if (getRank() == options.rootRank) {
      for (int rank = 0; rank < size_; ++rank) call.send[rank] = rank == rank_ ? at::Tensor() : values[0];
    } else {
      call.receive[root] = values[0];
    }
    return post(std::move(call));
  }
  Works barrier(const c10d::BarrierOptions&) override {
    return post({"barrier", Tensors(size_), Tensors(size_), {}});
  }

  Works send(Tensors& values, int destination, int tag) override {
    const std::lock_guard lock(job_->mutex);
    Channel& channel = hub_->channels[{rank_, destination, tag}];
    channel.messages[channel.sent++] = values[0].clone();
    job_->changed.notify_all();
    return c10::make_intrusive<ThreadWork>(job_, world_rank(), [] { return true; });
  }
  Works recv(Tensors& values, int source, int tag) override {
    const std::lock_guard lock(job_->mutex);
    Channel* channel = &hub_->channels[{source, rank_, tag}];  // a map's elements stay where they are
    const int64_t number = channel->received++;
    const auto take = [hub = hub_, channel, number, out = values[0]] {
      const at::Tensor message = channel->messages.extract(number).mapped();
      if (message.numel() != out.numel()) {
        fail(hub->label, "receive: ", message.numel(), " elements came, ", out.numel(), " were expected");
      }
      out.copy_(message);
    };
    return c10::make_intrusive<ThreadWork>(
        job_, world_rank(), [hub = hub_, channel, number] { return channel->messages.contains(number); },
        take);
  }

 private:
  int world_rank() const { return hub_->members[rank_]; }

  Works post(Call call) {
    std::unique_lock lock(job_->mutex);
    const int64_t number = next_++;
    auto& slot = hub_->collectives[number];
    if (!slot) slot = std::make_shared<Collective>();
    const std::shared_ptr<Collective> collective = slot;
    collective->calls.emplace(rank_, std::move(call));
    if (std::ssize(collective->calls) == size_) {
      hub_->collectives.erase(number);
      perform(*hub_, collective->calls);
      collective->calls.clear();
      collective->done = true;
      job_->changed.notify_all();
    }
    return c10::make_intrusive<ThreadWork>(job_, world_rank(), [collective] { return collective->done; });
  }

  std::shared_ptr<ThreadJob> job_;
  std::shared_ptr<Hub> hub_;
  int64_t next_ = 0;  ///< number of this rank's next collective in this group
};

Group split(const std::shared_ptr<ThreadJob>& job, int64_t number, int rank, const std::vector<int>& members,
            const std::string& label) {
  const int place = place_in(members, rank);
  if (members.size() == 1) return {nullptr, label};
  const std::lock_guard lock(job->mutex);
  auto& hub = job->hubs[{number, members.front()}];
  if (!hub) hub = std::make_shared<Hub>(Hub{label, members, {}, {}});
  GRATICULE_CHECK(hub->members == members && hub->label == label, "group ", label, " on rank ", rank,
                  " is not that of its first member, ", hub->label);
  return Group(c10::make_intrusive<ThreadBackend>(place, static_cast<int>(members.size()), job, hub), label,
               {job->watches[rank], group_id(number, members), members});
}

World world_of(const std::shared_ptr<ThreadJob>& job, int rank, int size) {
  World world{rank, size, rank, size, nullptr, nullptr, job->watches[rank]};
  world.split = [job, rank, next = std::make_shared<int64_t>(0)](const std::vector<int>& members,
                                                                 const std::string& label) {
    return split(job, (*next)++, rank, members, label);
  };
  world.abort = [rank](int code) { fail("threads", "rank ", rank, " ended the job with code ", code); };
  return world;
}

}  // namespace

void run_threads(int size, const std::function<void(World)>& body) {
  const auto job = std::make_shared<ThreadJob>();
  for (int rank = 0; rank < size; ++rank) job->watches.push_back(std::make_shared<Watch>(rank));
  std::vector<std::thread> ranks;
  ranks.reserve(static_cast<size_t>(size));
  for (int rank = 0; rank < size; ++rank) {
    ranks.emplace_back([&, rank] {
      try {
        at::set_num_threads(1);
        body(world_of(job, rank, size));
      } catch (...) {
        job->fail_with(std::current_exception());
      }
    });
  }
  for (std::thread& rank : ranks) rank.join();
  if (job->error) std::rethrow_exception(job->error);
}

}  // namespace graticule

// Messages are bytes: only the all-reduce depends on a dtype. An all-to-all is a send and a receive for each
// rank that has rows, in pieces of at most 2^30 bytes. One tag is enough, because messages between two ranks
// arrive in the order of issue.
#include "graticule/comm/mpi/mpi.h"

#include <ATen/core/Tensor.h>

#include <mpi.h>
#include <sched.h>

#include <algorithm>
#include <exception>
#include <limits>
#include <memory>
#include <numeric>

#include "graticule/comm/backend.h"
#include "graticule/comm/mpi/mpi_watch.h"
#include "graticule/core/error.h"

namespace graticule {
namespace {

#if MPI_VERSION >= 4
using Count = MPI_Count;
using Offset = MPI_Aint;
constexpr auto mpi_iallgatherv = MPI_Iallgatherv_c;
#else
using Count = int;
using Offset = int;
constexpr auto mpi_iallgatherv = MPI_Iallgatherv;
#endif

constexpr int64_t piece_bytes = int64_t{1} << 30;

void check(int code, const std::string& label, const char* operation) {
  if (code == MPI_SUCCESS) return;
  char reason[MPI_MAX_ERROR_STRING];
  int length = 0;
  MPI_Error_string(code, reason, &length);
  fail(label, "MPI ", operation, " failed: ", std::string(reason, length));
}

/// Whether an exception is on its way. Then other ranks may never answer, so no call may wait for them.
bool unwinding() { return std::uncaught_exceptions() > 0; }

/// MPI from its start to its end, and the watch over this rank. There is no watchdog when MPI refuses calls
/// from several threads.
class Session {
 public:
  Session() {
    int provided = 0;
    check(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_MULTIPLE, &provided), "launch", "Init_thread");
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    int rank = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    watch_ = std::make_shared<Watch>(rank);
    if (provided == MPI_THREAD_MULTIPLE) watchdog_.emplace(watch_);
  }
  ~Session() {
    if (!unwinding() && watchdog_) watchdog_->end();
    watchdog_.reset();
    if (!unwinding()) MPI_Finalize();
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  const std::shared_ptr<Watch>& watch() const { return watch_; }

 private:
  std::shared_ptr<Watch> watch_;
  std::optional<MpiWatch> watchdog_;
};

class Communicator {
 public:
  Communicator(std::shared_ptr<Session> session, MPI_Comm parent, int color, int key, std::string label)
      : session_(std::move(session)), label_(std::move(label)) {
    check(MPI_Comm_split(parent, color, key, &comm_), label_, "Comm_split");
    MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN);
    MPI_Comm_rank(comm_, &rank_);
    MPI_Comm_size(comm_, &size_);
  }
  ~Communicator() {
    if (!unwinding()) MPI_Comm_free(&comm_);
  }
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  MPI_Comm get() const { return comm_; }
  const std::string& label() const { return label_; }
  int rank() const { return rank_; }
  int size() const { return size_; }

 private:
  std::shared_ptr<Session> session_;
  std::string label_;
  MPI_Comm comm_ = MPI_COMM_NULL;
  int rank_ = 0, size_ = 1;
};

/// One MPI request. A receive stores the number of bytes that must come: a shorter message is an error.
struct Request {
  MPI_Request handle = MPI_REQUEST_NULL;
  int expected = -1;
};

/// The memory that MPI reads and writes until an operation is done.
struct Held {
  std::vector<at::Tensor> buffers;
  std::vector<Count> counts;
  std::vector<Offset> offsets;
};

/// An operation under way.
class MpiWork : public c10d::Work {
 public:
  MpiWork(const char* operation, std::shared_ptr<Communicator> communicator, std::vector<at::Tensor> buffers)
      : operation_(operation),
        communicator_(std::move(communicator)),
        held_(std::make_unique<Held>(Held{std::move(buffers), {}, {}})) {}

  /// If the job ends during the operation, MPI may still use the buffers. So they are never freed.
  ~MpiWork() override {
    if (std::any_of(requests_.begin(), requests_.end(),
                    [](const Request& r) { return r.handle != MPI_REQUEST_NULL; })) {
      static_cast<void>(held_.release());
    }
  }

  bool wait(std::chrono::milliseconds) override {
    while (!isCompleted()) sched_yield();  // ranks may share a core
    return true;
  }

  bool isCompleted() override {
    for (; done_ < requests_.size(); ++done_) {
      Request& request = requests_[done_];
      MPI_Status status;
      int done = 0;
      check(MPI_Test(&request.handle, &done, &status), communicator_->label(), operation_);
      if (!done) return false;
      if (request.expected >= 0) check_length(status, request.expected);
    }
    return true;
  }

  Held& held() { return *held_; }

  /// Starts one request: `start(MPI_Request*)` returns MPI's code.
  template <class Start>
  void add(const Start& start, int expected = -1) {
    requests_.push_back({MPI_REQUEST_NULL, expected});
    check(start(&requests_.back().handle), communicator_->label(), operation_);
  }

  /// Calls `start(pointer, bytes, request)` for each piece of a buffer.
  template <class Start>
  void add_pieces(const at::Tensor& buffer, bool receives, const Start& start) {
    const auto total = static_cast<int64_t>(buffer.nbytes());
    for (int64_t at = 0; at < total; at += piece_bytes) {
      const int bytes = static_cast<int>(std::min(piece_bytes, total - at));
      add(
          [&](MPI_Request* request) {
            return start(static_cast<char*>(buffer.data_ptr()) + at, bytes, request);
          },
          receives ? bytes : -1);
    }
  }

  void send(const at::Tensor& values, int destination, int tag) {
    add_pieces(values, false, [&](char* data, int bytes, MPI_Request* request) {
      return MPI_Isend(data, bytes, MPI_BYTE, destination, tag, communicator_->get(), request);
    });
  }
  void receive(const at::Tensor& values, int source, int tag) {
    add_pieces(values, true, [&](char* data, int bytes, MPI_Request* request) {
      return MPI_Irecv(data, bytes, MPI_BYTE, source, tag, communicator_->get(), request);
    });
  }

 private:
  void check_length(const MPI_Status& status, int expected) const {
    int bytes = 0;
    MPI_Get_count(&status, MPI_BYTE, &bytes);
    if (bytes != expected) {
      fail(communicator_->label(), operation_, ": ", bytes, " bytes came from rank ", status.MPI_SOURCE, ", ",
           expected, " were expected");
    }
  }

  const char* operation_;
  std::shared_ptr<Communicator> communicator_;
  std::unique_ptr<Held> held_;
  std::vector<Request> requests_;
  size_t done_ = 0;  ///< number of requests that are done, from the front
};

MPI_Datatype datatype_of(at::ScalarType type, const std::string& label) {
  switch (type) {
    case at::kFloat:
      return MPI_FLOAT;
    case at::kDouble:
      return MPI_DOUBLE;
    case at::kInt:
      return MPI_INT32_T;
    case at::kLong:
      return MPI_INT64_T;
    default:
      fail(label, "all_reduce of ", c10::toString(type), ": use fp32, fp64, int32 or int64");
  }
}

MPI_Op operation_of(const c10d::ReduceOp& reduction, const std::string& label) {
  switch (reduction) {
    case c10d::ReduceOp::SUM:
      return MPI_SUM;
    case c10d::ReduceOp::MAX:
      return MPI_MAX;
    case c10d::ReduceOp::MIN:
      return MPI_MIN;
    default:
      fail(label, "all_reduce: use a sum, a maximum or a minimum");
  }
}

class MpiBackend : public c10d::Backend {
 public:
  using Works = c10::intrusive_ptr<c10d::Work>;
  using Tensors = std::vector<at::Tensor>;

  explicit MpiBackend(std::shared_ptr<Communicator> communicator)
      : Backend(communicator->rank(), communicator->size()), communicator_(std::move(communicator)) {
    setBoundDeviceId(at::Device(at::kCPU, 0));  // tensors of a GPU go through the host
  }

  // NOLINTNEXTLINE(readability-const-return-type): as PyTorch declares it.
  const std::string getBackendName() const override { return "mpi"; }

  Works alltoall_base(at::Tensor& out, at::Tensor& in, std::vector<int64_t>& receive,
                      std::vector<int64_t>& send, const c10d::AllToAllOptions&) override {
    return exchange("all_to_all", in.split_with_sizes(send), out.split_with_sizes(receive), {in, out});
  }

  /// When out[rank] is in[rank], nothing is copied.
  Works alltoall(Tensors& out, Tensors& in, const c10d::AllToAllOptions&) override {
    Tensors buffers = in;
    buffers.insert(buffers.end(), out.begin(), out.end());
    return exchange("all_to_all", in, out, std::move(buffers));
  }

  Works _allgather_base(at::Tensor& out, at::Tensor& in, const c10d::AllgatherOptions&) override {
    return gather(out.split_with_sizes(std::vector<int64_t>(size_, in.numel())), in);
  }

  /// The tensors of out[0] are views of one buffer, one for each rank, in rank order.
  Works allgather(std::vector<Tensors>& out, Tensors& in, const c10d::AllgatherOptions&) override {
    return gather(out[0], in[0]);
  }

  Works allreduce(Tensors& values, const c10d::AllreduceOptions& options) override {
    const at::Tensor& inout = values[0];
    const MPI_Datatype type = datatype_of(inout.scalar_type(), communicator_->label());
    const MPI_Op operation = operation_of(options.reduceOp, communicator_->label());
    auto work = start("all_reduce", values);
    work->add_pieces(inout, false, [&](char* data, int bytes, MPI_Request* request) {
      const int count = bytes / static_cast<int>(inout.element_size());
      return MPI_Iallreduce(MPI_IN_PLACE, data, count, type, operation, communicator_->get(), request);
    });
    return work;
  }

  Works broadcast(Tensors& values, const c10d::BroadcastOptions& options) override {
    auto work = start("broadcast", values);
    work->add_pieces(values[0], false, [&](char* data, int bytes, MPI_Request* request) {
      return MPI_Ibcast(data, bytes, MPI_BYTE, static_cast<int>(options.rootRank), communicator_->get(),
                        request);
    });
    return work;
  }

  Works send(Tensors& values, int destination, int tag) override {
    auto work = start("send", values);
    work->send(values[0], destination, user_tag(tag));
    return work;
  }

  Works recv(Tensors& values, int source, int tag) override {
    auto work = start("receive", values);
    work->receive(values[0], source, user_tag(tag));
    return work;
  }

  Works barrier(const c10d::BarrierOptions&) override {
    auto work = start("barrier", {});
    work->add([&](MPI_Request* request) { return MPI_Ibarrier(communicator_->get(), request); });
    return work;
  }

 private:
  static constexpr int exchange_tag = 0;

  /// The tags of send and receive differ from the tag of an exchange.
  static int user_tag(int tag) { return exchange_tag + 1 + tag; }

  c10::intrusive_ptr<MpiWork> start(const char* operation, Tensors buffers) const {
    return c10::make_intrusive<MpiWork>(operation, communicator_, std::move(buffers));
  }

  /// Sends send[r] to each rank r and receives receive[r] from it. Each rank starts with its own neighbour,
  /// so that no rank is the first target of all.
  Works exchange(const char* operation, const Tensors& send, const Tensors& receive, Tensors buffers) const {
    auto work = start(operation, std::move(buffers));
    for (int step = 1; step < size_; ++step) {
      const int source = (rank_ - step + size_) % size_;
      work->receive(receive[source], source, exchange_tag);
    }
    for (int step = 1; step < size_; ++step) {
      const int destination = (rank_ + step) % size_;
      work->send(send[destination], destination, exchange_tag);
    }
    if (receive[rank_].numel() > 0 && !receive[rank_].is_same(send[rank_])) receive[rank_].copy_(send[rank_]);
    return work;
  }

  Works gather(const Tensors& out, const at::Tensor& in) const {
    const int64_t total = std::accumulate(
        out.begin(), out.end(), int64_t{0},
        [](int64_t sum, const at::Tensor& part) { return sum + static_cast<int64_t>(part.nbytes()); });
    if (total > std::numeric_limits<Count>::max())
      return exchange("all_gather", Tensors(size_, in), out, {in, out[0]});
    auto work = start("all_gather", {in, out[0]});
    Held& held = work->held();
    int64_t offset = 0;
    char* base = nullptr;  // of the first part that is not empty: an empty tensor has no address
    for (const at::Tensor& part : out) {
      char* const data = static_cast<char*>(part.data_ptr());
      if (!base) base = data;
      GRATICULE_CHECK(part.numel() == 0 || data == base + offset,
                      "the parts of an all-gather must lie in one buffer");
      held.counts.push_back(static_cast<Count>(part.nbytes()));
      held.offsets.push_back(static_cast<Offset>(offset));
      offset += static_cast<int64_t>(part.nbytes());
    }
    work->add([&](MPI_Request* request) {
      return mpi_iallgatherv(in.data_ptr(), static_cast<Count>(in.nbytes()), MPI_BYTE, base,
                             held.counts.data(), held.offsets.data(), MPI_BYTE, communicator_->get(),
                             request);
    });
    return work;
  }

  std::shared_ptr<Communicator> communicator_;
};

}  // namespace

bool mpi_is_built_in() { return true; }

std::string mpi_library() {
  std::string version(MPI_MAX_LIBRARY_VERSION_STRING, '\0');
  int length = 0;
  check(MPI_Get_library_version(version.data(), &length), "launch", "Get_library_version");
  version.resize(static_cast<size_t>(length));
  return version;
}

World mpi_world() {
  const auto session = std::make_shared<Session>();
  const auto everyone = std::make_shared<Communicator>(session, MPI_COMM_WORLD, 0, 0, "world");
  MPI_Comm node = MPI_COMM_NULL;
  check(MPI_Comm_split_type(everyone->get(), MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node), "launch",
        "Comm_split_type");
  World world{everyone->rank(), everyone->size(), 0, 1, nullptr, nullptr, session->watch()};
  MPI_Comm_rank(node, &world.local_rank);
  MPI_Comm_size(node, &world.local_size);
  MPI_Comm_free(&node);
  std::vector<int> ranks(everyone->size());
  std::iota(ranks.begin(), ranks.end(), 0);
  constexpr int64_t no_group = -1;
  world.split = [session, everyone,
                 all = std::make_shared<const Watched>(Watched{session->watch(), no_group, ranks}),
                 next = std::make_shared<int64_t>(0)](const std::vector<int>& members,
                                                      const std::string& label) {
    const int key = place_in(members, everyone->rank());
    const Watched watched{all->watch, group_id((*next)++, members), members};
    const Waiting waiting({all, all->watch->issue(no_group, label, "making the group"), std::nullopt});
    auto communicator = std::make_shared<Communicator>(session, everyone->get(), members.front(), key, label);
    GRATICULE_CHECK(communicator->size() == std::ssize(members), label, " of ", members.size(),
                    " members got ", communicator->size());
    if (communicator->size() == 1) return Group(label);
    return Group(c10::make_intrusive<MpiBackend>(std::move(communicator)), label, watched);
  };
  world.abort = [everyone](int code) { end_job(everyone->get(), code); };
  return world;
}

}  // namespace graticule

// A Group is a value: some ranks of the job, this rank's place among them, and the plain collectives over
// them. comm/mesh.h makes the groups of a job, and every room above comm receives them as arguments.
//
// Rules for all operations. Tensors are dense and are cut along dim 0 ("rows"); use 1-D tensors for flat
// buffers. Ranks may have different numbers of rows. An operation starts without blocking and returns a
// Pending, whose wait() gives the result. All ranks of a group must issue the same operations in the same
// order. A group of one rank sends nothing and returns its input. Sums of bf16 and fp16 are taken in fp32.
// Sizes that do not match this rank's tensors are a bug (std::logic_error). When another rank fails, wait()
// throws std::runtime_error. Bytes sent are counted by group label; copies to oneself are not counted.
#pragma once

#include <c10/util/intrusive_ptr.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "graticule/comm/watch.h"

// Declared only, because these headers take seconds to compile and only back ends need them.
namespace c10d {
class Backend;
class Work;
}  // namespace c10d

namespace graticule {

/// The bytes and operations of a group that this rank has issued. Bytes follow from a formula for each
/// operation, and not from what the back end does inside. All copies of a group share one count. With p ranks
/// and M bytes of values:
///   all_to_all         the rows for other ranks
///   all_gather         own rows x (p - 1)
///   reduce_scatter     the rows that other ranks keep
///   all_reduce         reduce_scatter and all_gather of the values cut by span: 2 (p - 1) / p M
///   broadcast          (p - 1) M at the root, else 0
///   send, shift        M
///   receive, barrier   0
struct Traffic {
  int64_t bytes_sent = 0;
  int64_t operations = 0;
};

/// The record of issued operations that check_order (comm/order.h) compares. All copies of a group share it.
struct Order {
  int64_t count = 0;
  uint64_t hash = 0;               ///< of the descriptions of all operations since the last check
  std::deque<std::string> recent;  ///< the newest of these descriptions
};

/// An operation under way. wait() blocks until it is done and returns its result; call it once. Until then
/// the Pending keeps the buffers alive. The destructor waits too, unless an exception is on its way: then the
/// job is ending and other ranks may never answer.
class Pending {
 public:
  /// A result that is ready.
  explicit Pending(at::Tensor ready);
  Pending(c10::intrusive_ptr<c10d::Work> work, std::vector<at::Tensor> buffers,
          std::function<at::Tensor()> finish, Ticket ticket = {});
  Pending(Pending&&) = default;
  Pending& operator=(Pending&& other) noexcept;
  ~Pending();
  at::Tensor wait();
  /// Whether the operation is done; does not block. Over MPI, large messages travel only while some thread of
  /// each rank is inside MPI. So call this now and then while computing beside an operation.
  bool poll();
  /// The same operation; wait() applies `next` to its result.
  Pending then(std::function<at::Tensor(at::Tensor)> next) &&;

 private:
  std::shared_ptr<c10d::Work> work_;
  std::vector<at::Tensor> buffers_;  ///< the tensors that the operation reads and writes
  std::function<at::Tensor()> finish_;
  Ticket ticket_;
};

enum class Reduction { sum, max, min };

class Group {
 public:
  /// A group of one rank. `label` names the axis (or axes) in errors, in the watchdog's messages and in the
  /// byte counts.
  Group();
  explicit Group(std::string label);
  /// A group of the ranks of `backend`. `watched`: the members and the watch, given by the split that makes
  /// the group.
  Group(c10::intrusive_ptr<c10d::Backend> backend, std::string label, Watched watched = {});

  int rank() const { return rank_; }
  int size() const { return size_; }
  const std::string& label() const { return label_; }
  const Traffic& traffic() const { return *traffic_; }
  /// Whether issued operations are recorded for check_order.
  bool keeps_order() const { return watched_->watch && watched_->watch->keeps_order(); }
  /// Returns the record since the last call and starts a new one.
  Order take_order() const;

  /// Sends the first send_rows[0] rows to rank 0, the next send_rows[1] to rank 1, and so on. Result:
  /// receive_rows[r] rows from each rank r, in rank order. Collective.
  Pending all_to_all(const at::Tensor& rows, const std::vector<int64_t>& send_rows,
                     const std::vector<int64_t>& receive_rows) const;
  /// All ranks' rows, joined in rank order; rows_of[r] is the number of rows of rank r. Collective.
  Pending all_gather(const at::Tensor& rows, const std::vector<int64_t>& rows_of) const;
  /// Sums the rows of all ranks; rank r keeps rows_of[r] rows of the sum. Bytes travel in the input's dtype.
  /// The sum of bf16 and fp16 is taken in fp32; `result` is the dtype returned (default: the input's).
  /// Collective.
  Pending reduce_scatter(const at::Tensor& rows, const std::vector<int64_t>& rows_of,
                         std::optional<at::ScalarType> result = std::nullopt) const;
  /// The sum, maximum or minimum over ranks, on every rank, as a new tensor (with one rank: `values`). A sum
  /// of bf16 or fp16 issues its second half, a gather, inside wait(). So wait for such sums in the same order
  /// on every rank. Collective.
  Pending all_reduce(const at::Tensor& values, Reduction reduction = Reduction::sum) const;
  /// The values of rank `root`, on every rank. On the other ranks `values` gives only shape and dtype.
  /// Collective.
  Pending broadcast(const at::Tensor& values, int root) const;
  /// send: sends `values` to `destination`; its result is `values`. receive: receives a tensor of the shape,
  /// dtype and device of `like` from `source`. Both ranks are places in the group, not this rank. `tag` pairs
  /// a send with its receive.
  Pending send(const at::Tensor& values, int destination, int tag = 0) const;
  Pending receive(const at::Tensor& like, int source, int tag = 0) const;
  /// Sends `values` to rank + by (cyclic) and receives a tensor shaped as `like` from rank - by. Sizes may
  /// differ from rank to rank. Collective.
  Pending shift(const at::Tensor& values, const at::Tensor& like, int by = 1) const;
  /// Blocks until every rank has called it. Collective.
  void barrier() const;

 private:
  /// The values as a flat dense tensor on a device that the back end can use.
  at::Tensor flat(const at::Tensor& values) const;
  /// The same, with uninitialised memory.
  at::Tensor space_for(const at::Tensor& values) const;
  void count(int64_t bytes) const;
  Pending exchange(const char* name, const at::Tensor& rows, const std::vector<int64_t>& send_rows,
                   const std::vector<int64_t>& receive_rows) const;
  /// Records an operation that is about to start; `agreed`: all values that must be equal on all ranks.
  template <class... Agreed>
  Ticket issue(const char* name, const Agreed&... agreed) const;
  Ticket issue_message(Side side, int source, int destination, int tag) const;

  std::shared_ptr<c10d::Backend> backend_;  ///< null when size is 1
  std::string label_;
  int rank_ = 0;
  int size_ = 1;
  std::shared_ptr<Traffic> traffic_;
  std::shared_ptr<const Watched> watched_;
  std::shared_ptr<Order> order_;
};

/// The place of world rank `rank` in `members`. A rank that is not a member is a bug (std::logic_error).
int place_in(const std::vector<int>& members, int rank);

}  // namespace graticule

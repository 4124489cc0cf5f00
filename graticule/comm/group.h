// A Group is a value: some ranks of the job, this rank's place among them, and the plain collectives over
// them.
//
// Every operation works on dense tensors cut along dim 0 ("rows"; use 1-D tensors for flat buffers), takes
// uneven row counts, and starts without blocking: it returns a Pending whose wait() gives the result. All
// ranks of a group must issue the same operations in the same order. A group of size 1 sends nothing and
// gives back its input. Sums of bf16 and fp16 are taken in fp32. Bytes sent (self-copies excluded) are
// counted by group label.
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

// Their headers take seconds to compile and are needed by back ends alone.
namespace c10d {
class Backend;
class Work;
}  // namespace c10d

namespace graticule {

/// What a group's operations have sent from this rank, by the algorithm's formula and whatever the back end
/// does inside. Shared by all copies of a group. With p ranks and M bytes of values:
///   all_to_all         the rows for other ranks
///   all_gather         own rows x (p - 1)
///   reduce_scatter     the rows that other ranks keep
///   all_reduce         the two above, of the values cut by span: 2 (p - 1) / p M
///   broadcast          (p - 1) M at the root, else 0
///   send, shift        M
///   receive, barrier   0
struct Traffic {
  int64_t bytes_sent = 0;
  int64_t operations = 0;
};

/// What all copies of a group note of the operations issued, for check_order (comm/order.h).
struct Order {
  int64_t count = 0;
  uint64_t hash = 0;               ///< of all descriptions since the last check
  std::deque<std::string> recent;  ///< the last descriptions since then
};

/// An operation under way. wait() blocks until it is done and gives its result; it may be called once.
/// Buffers are kept alive until then. Dropping a Pending without waiting waits for it, unless an exception is
/// on its way (the job is ending and other ranks may never answer).
class Pending {
 public:
  explicit Pending(at::Tensor ready);
  Pending(c10::intrusive_ptr<c10d::Work> work, std::vector<at::Tensor> buffers,
          std::function<at::Tensor()> finish, Ticket ticket = {});
  Pending(Pending&&) = default;
  Pending& operator=(Pending&& other) noexcept;
  ~Pending();
  at::Tensor wait();
  /// Whether the transport is done, without blocking. Over MPI, large messages travel only while some thread
  /// of each rank is inside MPI: call this now and then while computing beside an operation.
  bool poll();
  /// The same operation, its result changed by `next` inside wait().
  Pending then(std::function<at::Tensor(at::Tensor)> next) &&;

 private:
  std::shared_ptr<c10d::Work> work_;
  std::vector<at::Tensor> buffers_;  ///< what the operation reads and writes
  std::function<at::Tensor()> finish_;
  Ticket ticket_;
};

enum class Reduction { sum, max, min };

class Group {
 public:
  /// A group of one rank. `label` names the axis (or axes) in errors, in the watchdog and in the byte counts.
  Group();
  explicit Group(std::string label);
  /// The ranks of `backend`. `watched` is what the back end's split knows of them.
  Group(c10::intrusive_ptr<c10d::Backend> backend, std::string label, Watched watched = {});

  int rank() const { return rank_; }
  int size() const { return size_; }
  const std::string& label() const { return label_; }
  const Traffic& traffic() const { return *traffic_; }
  /// Whether the operations are noted for check_order, and the notes since the last call.
  bool keeps_order() const { return watched_->watch && watched_->watch->keeps_order(); }
  Order take_order() const;

  /// Sends rows to each rank (send_rows[r] rows, in rank order) and receives receive_rows[r] from each, in
  /// rank order.
  Pending all_to_all(const at::Tensor& rows, const std::vector<int64_t>& send_rows,
                     const std::vector<int64_t>& receive_rows) const;
  /// Concatenates every rank's rows in rank order; rows_of[r] is what rank r gives.
  Pending all_gather(const at::Tensor& rows, const std::vector<int64_t>& rows_of) const;
  /// Sums over ranks; rank r keeps its rows_of[r] rows. The sum is taken in fp32 and returned as `result`
  /// (default: the input's dtype). What travels has the input's dtype.
  Pending reduce_scatter(const at::Tensor& rows, const std::vector<int64_t>& rows_of,
                         std::optional<at::ScalarType> result = std::nullopt) const;
  /// The same sum, maximum or minimum on every rank (a new tensor). The sum of bf16 and fp16 gathers its
  /// second half inside wait(): wait for those in the same order on every rank.
  Pending all_reduce(const at::Tensor& values, Reduction reduction = Reduction::sum) const;
  /// Rank `root`'s values on every rank. On the others `values` gives shape and dtype.
  Pending broadcast(const at::Tensor& values, int root) const;
  /// Sends to `destination` / receives a tensor like `like` from `source`. `tag` pairs them.
  Pending send(const at::Tensor& values, int destination, int tag = 0) const;
  Pending receive(const at::Tensor& like, int source, int tag = 0) const;
  /// Sends to rank + by (cyclic) and receives from rank - by a tensor like `like` (sizes may differ from rank
  /// to rank).
  Pending shift(const at::Tensor& values, const at::Tensor& like, int by = 1) const;
  void barrier() const;

 private:
  /// The values as a flat dense tensor where the back end can reach them.
  at::Tensor flat(const at::Tensor& values) const;
  /// Such a tensor, not filled.
  at::Tensor space_for(const at::Tensor& values) const;
  void count(int64_t bytes) const;
  Pending exchange(const char* name, const at::Tensor& rows, const std::vector<int64_t>& send_rows,
                   const std::vector<int64_t>& receive_rows) const;
  /// Notes an operation that is about to be issued; `agreed` is all that must be equal on all ranks.
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

}  // namespace graticule

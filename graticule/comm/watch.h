// The watch: a record of which operations a rank has issued and which it waits for. When a wait lasts too
// long, the waiting rank asks the others for their records and says which ranks are missing (`verdict`). How
// ranks ask each other is the back end's part: mpi_watch.cpp, threads.cpp. NCCL has its own time-out.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace graticule {

class Watch;

/// A group as the watch sees it. Without a watch its waits are not watched.
struct Watched {
  std::shared_ptr<Watch> watch;
  int64_t id = 0;            ///< the same on all ranks of the group, and different for every group
  std::vector<int> members;  ///< world ranks
};

/// The id of a group: `split` counts the world's calls of split(), and `members` are the group's ranks.
inline int64_t group_id(int64_t split, const std::vector<int>& members) {
  return (split << 32) + members.front();
}

/// Which side of an operation a rank is on: `all` for collectives, `sends` or `receives` for messages.
enum class Side : int64_t { all, sends, receives };

/// One operation of a group. Plain bytes, so that ranks can send it to each other.
struct Operation {
  std::array<char, 24> name{}, label{};
  int64_t group = 0, channel = 0;  ///< channel: number of a message's (source, destination, tag)
  Side side = Side::all;
  int64_t number = 0;  ///< counted from 0 among those of its group, channel and side
  int64_t step = 0;    ///< the training step that issued it
};

/// An operation under way and the ranks that it waits for: all of the group, or only `peer` (a place in the
/// group).
struct Ticket {
  std::shared_ptr<const Watched> group;
  Operation operation;
  std::optional<int> peer;
};

/// A rank's answer to a question about an operation. Plain bytes.
struct Standing {
  int64_t rank = 0;
  bool answers = true;  ///< false: the rank sent no answer
  bool joined = false;  ///< it has issued its part of that operation
  bool waits = false;   ///< it is in wait() of `last`; else it computes
  Operation last;       ///< the operation that it waits for, else the one it issued last
  double seconds = 0;   ///< since its wait began; if it computes, since its last call or wait
  int64_t step = 0;
};

/// A wait that lasts too long.
struct Overdue {
  int64_t wait = 0;  ///< number of the wait on this rank
  Operation operation;
  std::vector<int> others;  ///< world ranks that it waits for
  double seconds = 0;
};

/// The record of one rank. Safe to use from several threads.
class Watch {
 public:
  explicit Watch(int rank = 0);

  /// Sets the training step that messages name. Call it at the start of each step.
  void set_step(int64_t step);
  /// How many seconds a wait may last before the job ends; 0 or less: no limit. Set it before the groups are
  /// made, to the same value on all ranks.
  /// `setting` names the recipe key or option that set it, for messages.
  void set_timeout(double seconds, std::string setting = "");
  std::string timeout_setting() const;
  double timeout() const;
  int64_t step() const;
  /// Whether groups record their operations for check_order (comm/order.h). On by default in debug builds. It
  /// must be equal on all ranks.
  void set_keeps_order(bool keeps);
  bool keeps_order() const;

  /// Records that this rank issues an operation, and returns it with its number and step.
  Operation issue(int64_t group, std::string_view label, std::string_view name, Side side = Side::all,
                  int64_t channel = 0);
  /// Call it when the whole process was stopped for `seconds` (a suspended job): that time does not count as
  /// waiting.
  void excuse(double seconds);
  /// The longest wait under way, if it has lasted `seconds` or more.
  std::optional<Overdue> overdue(double seconds) const;
  /// This rank's answer about the operation `asked`, which another rank waits for.
  Standing standing(const Operation& asked) const;

 private:
  friend class Waiting;
  using Clock = std::chrono::steady_clock;
  struct Wait {
    int64_t number = 0;
    Ticket ticket;
    Clock::time_point since;
  };

  mutable std::mutex mutex_;
  int rank_;
  int64_t step_ = 0, waits_begun_ = 0;
  double timeout_ = 600;
  std::string timeout_setting_;
  // NOLINTNEXTLINE(modernize-use-default-member-init): the build type decides, and watch.cpp alone knows it.
  bool keeps_order_;
  std::map<std::tuple<int64_t, int64_t, Side>, int64_t> issued_;  ///< by group, channel and side
  std::list<Wait> waits_;
  Operation last_;
  Clock::time_point active_ = Clock::now();
};

/// A wait: during its lifetime the watch counts this rank as waiting for the operation of `ticket`.
class Waiting {
 public:
  explicit Waiting(const Ticket& ticket);
  ~Waiting();
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;

 private:
  std::shared_ptr<Watch> watch_;
  std::list<Watch::Wait>::iterator wait_;
};

/// How many seconds a rank waits for the others' answers, after a time-out of `timeout` seconds: 1 to 5.
double grace(double timeout);

/// The message about a wait of rank `rank`, once the others have answered: `[watchdog] step 12: rank 3 has
/// not joined ...`. Nothing when all missing ranks wait themselves and some wait has lasted less than `limit`
/// seconds: the ranks that they wait for then know more.
/// `setting` names what set the time-out.
std::optional<std::string> verdict(int rank, const Overdue& overdue, const std::vector<Standing>& others,
                                   int64_t step, double limit, const std::string& setting = "");

}  // namespace graticule

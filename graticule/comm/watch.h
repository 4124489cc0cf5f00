// The watch: where a rank stands among the operations of its groups, for other ranks to ask when a wait lasts
// too long. Each back end asks by its own means (mpi_watch.cpp, threads.cpp; NCCL has its own time-out); the
// words of the verdict are here.
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

/// A group as the watch sees it. No watch means that nobody looks.
struct Watched {
  std::shared_ptr<Watch> watch;
  int64_t id = 0;            ///< the same on all its ranks, and no other group's
  std::vector<int> members;  ///< world ranks
};

/// The id of the group that the world's split number `split` made of `members`.
inline int64_t group_id(int64_t split, const std::vector<int>& members) {
  return (split << 32) + members.front();
}

enum class Side : int64_t { all, sends, receives };

/// One operation of a group. Plain bytes, so that ranks can send it.
struct Operation {
  std::array<char, 24> name{}, label{};
  int64_t group = 0, channel = 0;  ///< channel: of a message, by source, destination and tag
  Side side = Side::all;
  int64_t number = 0;  ///< among those of its group, channel and side
  int64_t step = 0;    ///< the training step that issued it
};

/// An operation under way, and whom it waits for: the group, or the one `peer` (place in the group).
struct Ticket {
  std::shared_ptr<const Watched> group;
  Operation operation;
  std::optional<int> peer;
};

/// What a rank says when it is asked about an operation. Plain bytes.
struct Standing {
  int64_t rank = 0;
  bool answers = true;  ///< false: nothing has come from it
  bool joined = false;  ///< has issued its part of that operation
  bool waits = false;   ///< in wait() of `last`; else it computes
  Operation last;       ///< what it waits for, else what it issued last
  double seconds = 0;   ///< since the wait began, or since it called an operation or ended a wait
  int64_t step = 0;
};

/// A wait that lasts too long.
struct Overdue {
  int64_t wait = 0;  ///< its number on this rank
  Operation operation;
  std::vector<int> others;  ///< world ranks
  double seconds = 0;
};

class Watch {
 public:
  explicit Watch(int rank = 0);

  /// Names the training step in messages. Call it at the start of each.
  void set_step(int64_t step);
  /// How long a wait may last before the job ends; 0 or less: for ever. Set it before the groups are made,
  /// equal on all ranks.
  /// `setting`: where the user chose it, for messages.
  void set_timeout(double seconds, std::string setting = "");
  std::string timeout_setting() const;
  double timeout() const;
  int64_t step() const;
  /// Whether groups keep what check_order (comm/order.h) compares. On by default in debug builds; equal on
  /// all ranks.
  void set_keeps_order(bool keeps);
  bool keeps_order() const;

  /// Notes that this rank issues an operation.
  Operation issue(int64_t group, std::string_view label, std::string_view name, Side side = Side::all,
                  int64_t channel = 0);
  /// The whole process was stopped for that long (a suspended job): no wait lasted through it.
  void excuse(double seconds);
  /// The longest wait under way, when it lasts `seconds` or more.
  std::optional<Overdue> overdue(double seconds) const;
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

/// Tells the watch that this rank waits, for as long as it lives.
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

/// How much longer than its time-out a rank waits for the others' answers, in seconds.
double grace(double timeout);

/// `[watchdog] step 12: rank 3 has not joined ...`: what to say about a wait of rank `rank` once the others
/// have answered. Nothing while those that are missing wait themselves, and not yet for `limit` seconds: the
/// ranks that they wait for, or they, will know better. `setting`: where the user chose the time-out.
std::optional<std::string> verdict(int rank, const Overdue& overdue, const std::vector<Standing>& others,
                                   int64_t step, double limit, const std::string& setting = "");

}  // namespace graticule

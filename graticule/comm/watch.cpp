#include "graticule/comm/watch.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "graticule/core/error.h"

namespace graticule {
namespace {

using Seconds = std::chrono::duration<double>;

std::array<char, 24> letters(std::string_view from) {
  std::array<char, 24> to{};
  std::copy_n(from.begin(), std::min(from.size(), to.size() - 1), to.begin());
  return to;
}

/// The side that answers an operation: a receive waits for a send.
Side counterpart(Side side) {
  if (side == Side::all) return side;
  return side == Side::sends ? Side::receives : Side::sends;
}

std::string name_of(const Operation& operation) {
  if (operation.name[0] == '\0') return "nothing";
  return text(operation.name.data(), " of axis ", operation.label.data());
}

std::string ranks(const std::vector<Standing>& all) {
  constexpr size_t shown = 8;
  std::string names = all.size() == 1 ? "rank" : "ranks";
  for (size_t i = 0; i < std::min(shown, all.size()); ++i) names += text(i ? ", " : " ", all[i].rank);
  if (all.size() > shown) names += text(" and ", all.size() - shown, " more");
  return names;
}

std::string doing(const Standing& standing) {
  const auto seconds = std::lround(standing.seconds);
  if (standing.waits) {
    return text("rank ", standing.rank, " waits for ", name_of(standing.last), ", number ",
                standing.last.number, ", step ", standing.step, ", since ", seconds, " s");
  }
  return text("its last: ", name_of(standing.last), ", step ", standing.last.step,
              "; it answers, computing for ", seconds, " s");
}

std::vector<Standing> those(const std::vector<Standing>& all,
                            const std::function<bool(const Standing&)>& which) {
  std::vector<Standing> some;
  std::copy_if(all.begin(), all.end(), std::back_inserter(some), which);
  return some;
}

}  // namespace

Watch::Watch(int rank) : rank_(rank), keeps_order_(GRATICULE_KEEP_ORDER) {}

void Watch::set_step(int64_t step) {
  const std::lock_guard lock(mutex_);
  step_ = step;
}

void Watch::set_timeout(double seconds, std::string setting) {
  const std::lock_guard lock(mutex_);
  timeout_ = seconds;
  timeout_setting_ = std::move(setting);
}

std::string Watch::timeout_setting() const {
  const std::lock_guard lock(mutex_);
  return timeout_setting_;
}

double Watch::timeout() const {
  const std::lock_guard lock(mutex_);
  return timeout_;
}

int64_t Watch::step() const {
  const std::lock_guard lock(mutex_);
  return step_;
}

void Watch::set_keeps_order(bool keeps) {
  const std::lock_guard lock(mutex_);
  keeps_order_ = keeps;
}

bool Watch::keeps_order() const {
  const std::lock_guard lock(mutex_);
  return keeps_order_;
}

Operation Watch::issue(int64_t group, std::string_view label, std::string_view name, Side side,
                       int64_t channel) {
  const std::lock_guard lock(mutex_);
  last_ = {letters(name), letters(label), group, channel, side, issued_[{group, channel, side}]++, step_};
  active_ = Clock::now();
  return last_;
}

void Watch::excuse(double seconds) {
  const std::lock_guard lock(mutex_);
  const auto pause = std::chrono::duration_cast<Clock::duration>(Seconds(seconds));
  for (Wait& wait : waits_) wait.since += pause;
  active_ += pause;
}

std::optional<Overdue> Watch::overdue(double seconds) const {
  const std::lock_guard lock(mutex_);
  if (waits_.empty()) return std::nullopt;
  const Wait& oldest = waits_.front();
  const double lasted = Seconds(Clock::now() - oldest.since).count();
  if (lasted < seconds) return std::nullopt;
  Overdue overdue{oldest.number, oldest.ticket.operation, {}, lasted};
  const std::vector<int>& members = oldest.ticket.group->members;
  if (oldest.ticket.peer) {
    overdue.others = {members.at(*oldest.ticket.peer)};
  } else {
    std::copy_if(members.begin(), members.end(), std::back_inserter(overdue.others),
                 [&](int member) { return member != rank_; });
  }
  return overdue;
}

Standing Watch::standing(const Operation& asked) const {
  const std::lock_guard lock(mutex_);
  Standing standing;
  standing.rank = rank_;
  const auto issued = issued_.find({asked.group, asked.channel, counterpart(asked.side)});
  standing.joined = issued != issued_.end() && issued->second > asked.number;
  standing.waits = !waits_.empty();
  standing.last = standing.waits ? waits_.front().ticket.operation : last_;
  standing.seconds = Seconds(Clock::now() - (standing.waits ? waits_.front().since : active_)).count();
  standing.step = step_;
  return standing;
}

Waiting::Waiting(const Ticket& ticket) : watch_(ticket.group ? ticket.group->watch : nullptr) {
  if (!watch_) return;
  const std::lock_guard lock(watch_->mutex_);
  wait_ = watch_->waits_.insert(watch_->waits_.end(), {watch_->waits_begun_++, ticket, Watch::Clock::now()});
}

Waiting::~Waiting() {
  if (!watch_) return;
  const std::lock_guard lock(watch_->mutex_);
  watch_->waits_.erase(wait_);
  watch_->active_ = Watch::Clock::now();
}

double grace(double timeout) { return std::clamp(timeout, 1.0, 5.0); }

std::optional<std::string> verdict(int rank, const Overdue& overdue, const std::vector<Standing>& others,
                                   int64_t step, double limit, const std::string& setting) {
  const auto silent = those(others, [](const Standing& s) { return !s.answers; });
  const auto missing = those(others, [](const Standing& s) { return !s.joined; });
  const auto computing = those(missing, [](const Standing& s) { return !s.waits; });
  const auto idle = those(others, [](const Standing& s) { return s.joined && !s.waits; });
  const bool may_resolve = std::any_of(others.begin(), others.end(), [&](const Standing& s) {
    return s.answers && s.waits && s.seconds < limit;
  });
  const std::string what = text(name_of(overdue.operation), " after ", std::lround(overdue.seconds), " s");
  const auto message = [&](const std::vector<Standing>& whom, const auto&... parts) {
    return text("[watchdog] step ", step, ": ", ranks(whom), whom.size() == 1 ? " has" : " have", parts...);
  };
  const std::string compute = text("; the job ends: see what it computes, or allow more",
                                   setting.empty() ? "" : " (" + setting + ")");
  if (!silent.empty()) {
    return message(silent, " not joined ", what, ", and no answer comes; the job ends: look for a process ",
                   "that is stopped, or a node that is cut off");
  }
  if (!computing.empty())
    return message(computing, " not joined ", what, " (", doing(computing[0]), ")", compute);
  if (may_resolve) return std::nullopt;
  if (!missing.empty()) {
    return message(missing, " not joined ", what, ", which rank ", rank, " waits for (", doing(missing[0]),
                   "); the job ends: the ranks wait for each other, so their operations differ; check_order ",
                   "says where");
  }
  if (!idle.empty()) return message(idle, " not waited for ", what, " (", doing(idle[0]), ")", compute);
  return message(others, " joined ", what, ", and it does not end (", doing(others[0]),
                 "); the job ends: look at the network; check_order says whether operations differ");
}

}  // namespace graticule

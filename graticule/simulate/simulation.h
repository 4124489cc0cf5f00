// The result of a simulated step: how long it takes, and how each rank spends the time.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "graticule/core/choices.h"

namespace graticule {

/// A kind of work of a rank.
enum class Activity { linear, attention, pointwise, optimizer };
inline constexpr std::array all_activities = {Activity::linear, Activity::attention, Activity::pointwise,
                                              Activity::optimizer};
template <>
inline constexpr auto choices_of<Activity> =
    std::to_array<Choice<Activity>>({{"linear", Activity::linear},
                                     {"attention", Activity::attention},
                                     {"pointwise", Activity::pointwise},
                                     {"optimizer", Activity::optimizer}});

/// The seconds of one rank's step. A wait for an exchange has two parts: `idled` until the last member has
/// joined the exchange, then `waited` until its messages have arrived.
struct RankTime {
  std::array<double, all_activities.size()> active = {};
  std::map<std::string, double> waited;  ///< by group label
  std::map<std::string, double> idled;   ///< by group label
  double end = 0;                        ///< time at which the rank's last event ends

  double& of(Activity activity) { return active[static_cast<size_t>(activity)]; }
  double of(Activity activity) const { return active[static_cast<size_t>(activity)]; }
  /// Seconds of all activities.
  double busy() const;
};

/// A piece of a rank's time, for timelines.
struct Interval {
  enum class Kind { active, waits, exchange };  ///< exchange: its messages move, beside the other two kinds
  Kind kind;
  std::string what;  ///< the activity's name, or the group's label
  double start, end;
};

struct Simulation {
  double seconds = 0;  ///< until the last rank ends
  std::vector<RankTime> ranks;
  std::map<int, std::vector<Interval>> drawn;  ///< by rank: the ranks in SimulationOptions::drawn
  int64_t flows = 0;                           ///< number of flows that were simulated
};

/// Converts a Simulation to bytes and back (the simulator runs in a process of its own).
std::string packed(const Simulation& simulation);
Simulation unpacked(const std::string& bytes);

}  // namespace graticule

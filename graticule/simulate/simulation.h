// What a simulated step gives: where the time of each rank goes.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace graticule {

/// What fills a rank's time besides waiting.
enum class Activity { linear, attention, pointwise, optimizer };
inline constexpr std::array all_activities = {Activity::linear, Activity::attention, Activity::pointwise,
                                              Activity::optimizer};
std::string_view name_of(Activity activity);

/// Where the step of a rank goes, seconds.
struct RankTime {
  std::array<double, all_activities.size()> active = {};
  std::map<std::string, double> waited;  ///< for messages that nothing hides, by group label
  std::map<std::string, double> idled;   ///< before that, until the last rank had joined the exchange
  double end = 0;                        ///< when its last event is over

  double& of(Activity activity) { return active[static_cast<size_t>(activity)]; }
  double of(Activity activity) const { return active[static_cast<size_t>(activity)]; }
  /// All but waiting.
  double busy() const;
};

/// A piece of a rank's time.
struct Interval {
  enum class Kind { active, waits, exchange };  ///< exchange: on its way, beside the others
  Kind kind;
  std::string what;  ///< the activity's name, or the group's label
  double start, end;
};

struct Simulation {
  double seconds = 0;  ///< of the step: until the last rank ends
  std::vector<RankTime> ranks;
  std::map<int, std::vector<Interval>> drawn;  ///< of the ranks asked for
  int64_t flows = 0;                           ///< messages simulated
};

/// As bytes, and back.
std::string packed(const Simulation& simulation);
Simulation unpacked(const std::string& bytes);

}  // namespace graticule

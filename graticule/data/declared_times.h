// The times at which a store itself says that it has data. ARCO-ERA5 allocates its axis from 1900 and fills
// it from 1940; sets for training list dates that the archive lacked. GridSource (grid_source.cpp) uses it.
#pragma once

#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "graticule/data/time.h"

namespace graticule {

struct DeclaredTimes {
  TimeRange range{std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max()};
  std::set<int64_t> missing;

  bool holds(int64_t time) const {
    return time >= range.begin && time <= range.end && !missing.contains(time);
  }
};

/// Reads the global attributes `valid_time_start` and `valid_time_stop` (texts; a bare date includes its
/// whole day) and `missing_dates` (a list of texts). Absent ones limit nothing. Refuses a text that is no
/// time of the calendar; `where` names the store.
DeclaredTimes declared_times(const nlohmann::json& attributes, Calendar calendar, const std::string& where);

/// Says which of the times an array has are not declared: "" when all are.
std::string note_of_undeclared(const DeclaredTimes& declared, const std::vector<int64_t>& times,
                               Calendar calendar, const std::string& where);

}  // namespace graticule

// Normalisation constants: mean and standard deviation of each variable, and of its differences over each
// lead. They are computed in one streaming pass over the training times (Welford), over all grid points
// without weights; NaN are left out. train/statistics_pass.h runs the pass and shares it among ranks.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "graticule/data/source.h"
#include "graticule/data/time.h"

namespace graticule {

struct VariableStatistics {
  std::string units;  ///< of mean and deviations; "" when the data name none
  double mean = 0, deviation = 1;
  std::map<int, double> difference_deviation;  ///< by lead in hours: sqrt(mean((x(t + lead) - x(t))^2))
  int64_t count = 0;                           ///< values counted
  int64_t missing = 0;                         ///< NaN left out
};

struct Statistics {
  std::map<std::string, VariableStatistics> variables;
  std::string source;                                               ///< path of the data
  TimeRange range;                                                  ///< of the times read
  int64_t times = 0;                                                ///< how many times were read
  const VariableStatistics& of(const std::string& variable) const;  ///< refuses an unknown variable
};

/// Reads the times in `range`, at most `max_times` spread evenly (0: all). Of `variables`, only the part
/// span_of(variables, parts, part) is computed, so that ranks can share the work; `merge` joins the parts. A
/// constant variable has difference deviation 1. Refuses a range without times, a variable without values,
/// and an infinite value, naming variable and time. Not collective.
Statistics compute_statistics(Source& source, const std::vector<std::string>& variables,
                              const std::vector<int>& lead_hours, const TimeRange& range, int64_t part = 0,
                              int64_t parts = 1, int64_t max_times = 0);
/// Joins two parts of one pass; no variable may be in both.
Statistics merge(const Statistics& a, const Statistics& b);

/// JSON, as RUN/statistics.json contains it. statistics_from_json refuses a text of another form; `where`
/// names it.
std::string to_json(const Statistics& statistics);
Statistics statistics_from_json(const std::string& text, const std::string& where);

}  // namespace graticule

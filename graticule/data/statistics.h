// Normalisation constants: mean and standard deviation of each variable and of its differences over each
// lead, made in one streaming pass over the training times (Welford), over all grid points (unweighted), NaN
// left out.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "graticule/data/source.h"
#include "graticule/data/time.h"

namespace graticule {

struct VariableStatistics {
  std::string units;  ///< of mean and deviations; "" when the data say none
  double mean = 0, deviation = 1;
  std::map<int, double> difference_deviation;  ///< by lead in hours: sqrt(mean((x(t + lead) - x(t))^2))
  int64_t count = 0;                           ///< values seen
  int64_t missing = 0;                         ///< NaN left out
};

struct Statistics {
  std::map<std::string, VariableStatistics> variables;
  std::string source;                                               ///< path of the data
  TimeRange range;                                                  ///< times seen
  int64_t times = 0;                                                ///< how many of them
  const VariableStatistics& of(const std::string& variable) const;  ///< refuses an unknown one
};

/// One pass over [range] for `variables`; of them only span_of(variables, parts, part), so that ranks share
/// the work (merge with `merge`). A constant variable has difference deviation 1. At most `max_times` times,
/// spread evenly (0: all). Refuses an infinite value, naming variable and time.
Statistics compute_statistics(Source& source, const std::vector<std::string>& variables,
                              const std::vector<int>& lead_hours, const TimeRange& range, int64_t part = 0,
                              int64_t parts = 1, int64_t max_times = 0);
Statistics merge(const Statistics& a, const Statistics& b);

/// JSON, kept beside the run; from_json refuses a file of another form.
std::string to_json(const Statistics& statistics);
Statistics statistics_from_json(const std::string& text, const std::string& where);

}  // namespace graticule

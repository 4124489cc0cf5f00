// Reads every field of a data set once and counts what training would stumble over: damaged chunks, missing
// and infinite values, fields of one value, values that the variable cannot have. `graticule data check` uses
// it; the work is cut into parts for ranks and threads.
#pragma once

#include <limits>
#include <map>
#include <string>
#include <vector>

#include "graticule/data/source.h"

namespace graticule {

/// What was found in one variable.
struct FieldFindings {
  int64_t fields = 0;   ///< read whole
  int64_t damaged = 0;  ///< fields that could not be read
  int64_t missing = 0;  ///< values that are NaN
  int64_t least_missing = std::numeric_limits<int64_t>::max(), most_missing = 0;  ///< in one field
  int64_t infinite = 0;                                                           ///< values
  int64_t outside = 0;  ///< values out of the physical range
  int64_t uniform = 0;  ///< fields whose values are all equal
  float low = std::numeric_limits<float>::infinity(), high = -std::numeric_limits<float>::infinity();
  std::string first;  ///< the first damage, or the first time with something suspicious: a text for the user

  void merge(const FieldFindings& other);
};

using Findings = std::map<std::string, FieldFindings>;  // by variable

/// A part of the work: variables that share chunks, and a range of indices into the chosen times, whole chunks.
struct CheckPart {
  std::vector<std::string> variables;
  Span times;
};

/// Cuts the reading of `variables` at `times` times into parts. A chunk belongs to one part only.
std::vector<CheckPart> check_parts(const Source& source, const std::vector<std::string>& variables,
                                   int64_t times);

/// Reads one part. `times`: indices into the catalogue. A field that fails to be read is counted, and the
/// reading goes on.
void check_part(Source& source, const CheckPart& part, const std::vector<int64_t>& times, Findings& findings);

/// What is wrong with a variable, in words; "" when it is clean. Missing values are clean where every field
/// lacks equally many (the sea in a field of the land) and `missing_allowed`.
std::string verdict_of(const FieldFindings& found, const Variable& variable, bool missing_allowed);

/// JSON of findings and back, for the exchange between ranks.
std::string to_json(const Findings& findings);
Findings findings_from_json(const std::string& json);

}  // namespace graticule

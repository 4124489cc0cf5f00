// Why a layout is as fast as it is: its parts, its efficiency, and the part that decides between two, in
// words.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "graticule/plan/planner.h"

namespace graticule {

/// A part of a step's time.
struct ReasonPart {
  const char* key;    ///< of JSON and tables
  const char* words;  ///< in a sentence
  double seconds;
};

/// All parts; they add up to the step.
std::array<ReasonPart, 6> parts_of(const StepTime& time);

/// How well the devices are used.
struct Efficiency {
  double sustained;          ///< the model's own products at sustained rates, over the step
  double peak;               ///< the same at the peak rate: model FLOP/s utilisation
  double tokens_per_second;  ///< of all ranks
};
Efficiency efficiency_of(const Question& question, const StepTime& time);

/// "Attention limits it: ...": the largest parts of the step, and the exchange that weighs most.
std::string what_limits(const Candidate& candidate);

/// "0.31 s less than NAME, by less exposed exchange (...)": the part that decides between `winner` and
/// `other`.
std::string compared(const Candidate& winner, const Candidate& other);

/// Why the best of a plan is the best, in sentences: what limits it, which others are as fast and which of
/// them relies least on hiding its exchange, by what it beats the next ones, and which faster one does not
/// fit in `memory`.
std::vector<std::string> reasons_for(const Plan& plan, int64_t memory);

/// What a layout would need, what a rank may hold, and the account that takes most of it.
std::string why_too_large(const Candidate& candidate, int64_t memory);

/// Seconds for people: "1.23 s", "4.5 ms".
std::string seconds_text(double seconds);

}  // namespace graticule

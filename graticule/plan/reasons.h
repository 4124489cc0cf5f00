// The reasons of a plan in words: the parts of a step's time, its efficiency, and the part that makes one
// layout faster than another. `graticule plan` prints them.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "graticule/plan/planner.h"

namespace graticule {

/// A part of a step's time.
struct ReasonPart {
  const char* key;    ///< name in JSON and tables
  const char* words;  ///< name in a sentence
  double seconds;
};

/// All parts of a step. Their seconds add up to time.total().
std::array<ReasonPart, 6> parts_of(const StepTime& time);

/// How well a layout uses the devices. Only the model's own products count, not what is recomputed.
struct Efficiency {
  double sustained;          ///< seconds of the products at sustained rates / seconds of the step
  double peak;               ///< the same at the peak rate: model FLOP/s utilisation (MFU)
  double tokens_per_second;  ///< of all ranks together
};
Efficiency efficiency_of(const Question& question, const StepTime& time);

/// "It is limited by attention: ...": the largest parts of the step, and the longest exchange.
std::string what_limits(const Candidate& candidate);

/// "310 ms (12 %) faster than NAME: exposed exchange 90 ms against 400 ms (...)": the part of the step in
/// which `winner` gains most over `other`. "as fast as NAME" if the two differ by less than 0.5 %.
std::string compared(const Candidate& winner, const Candidate& other);

/// Sentences about the best layout of a plan: the parts that limit it; the layouts that are as fast, and the
/// one of them that relies least on hiding its exchange; its advantage over the next two; a faster layout
/// that does not fit in `memory` bytes. plan.best must not be empty.
std::vector<std::string> reasons_for(const Plan& plan, int64_t memory);

/// A clause with the bytes that the layout needs, the bytes that fit, and the largest account.
std::string why_too_large(const Candidate& candidate, int64_t memory);

/// Seconds as text: "1.23 s", "4.5 ms".
std::string seconds_text(double seconds);

}  // namespace graticule

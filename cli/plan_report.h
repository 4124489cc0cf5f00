// What `graticule plan RECIPE` prints: tables for people, JSON for machines.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "graticule/plan/planner.h"

namespace graticule {

/// A line a layout: seconds of a step and its parts, how well devices are used, what the fullest rank holds.
void print_table(const Question& question, const std::vector<Candidate>& candidates);

/// Layout (as keys of a recipe), seconds, efficiency, memory by account.
nlohmann::json to_json(const Question& question, const Candidate& candidate);

}  // namespace graticule

// Formats the candidates of `graticule plan RECIPE`: tables for people, JSON for programs.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "graticule/plan/planner.h"

namespace graticule {

/// Prints one line for each layout: seconds of a step and its parts, share of the devices' speed, tokens per
/// second. A second table has the memory of the fullest rank by account.
void print_table(const Question& question, const std::vector<Candidate>& candidates);

/// A candidate as JSON: layout (as keys of a recipe), seconds, efficiency, memory by account.
nlohmann::json to_json(const Question& question, const Candidate& candidate);

}  // namespace graticule

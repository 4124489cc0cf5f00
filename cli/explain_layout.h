// Compares a layout that the user names with the best one: `graticule plan ... --explain LAYOUT`.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "graticule/plan/planner.h"

namespace graticule {

/// Takes the best of the layouts that have the keys of `wanted` ("data=2,shard=full"). Compares it with the
/// best of `plan`, or says why it does not fit or cannot be trained. Returns the result as JSON, and prints
/// it unless `json` is set. Refuses unknown keys.
nlohmann::json explain(const Question& question, const Plan& plan, const std::string& wanted, bool json);

/// The reason why no layout of these ranks agrees with the recipe, in the words that `train` uses.
std::string trouble_of(const Question& question);

}  // namespace graticule

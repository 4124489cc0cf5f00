// `graticule plan ... --explain LAYOUT`: a layout that the user names beside the best.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "graticule/plan/planner.h"

namespace graticule {

/// How the best of the layouts that have the keys of `wanted` ("data=2,shard=full") compares with the best of
/// `plan`, or why it does not fit or cannot be trained. Prints it, or with `json` leaves that to the caller.
/// Refuses unknown keys.
nlohmann::json explain(const Question& question, const Plan& plan, const std::string& wanted, bool json);

/// Why no layout of these ranks keeps what the recipe says: the words of training.
std::string trouble_of(const Question& question);

}  // namespace graticule

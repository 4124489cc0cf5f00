// The rules of a recipe that follow from its task. options.cpp applies them after reading.
#pragma once

#include <string>

#include "graticule/recipe/options.h"

namespace graticule {

/// Fills in the keys that a task settles: a task that does not look ahead has lead 0 and predicts states. Refuses
/// keys that contradict the task. `options.named` must be filled in; `where` names the file in messages.
void apply_task(Options& options, const std::string& where);

}  // namespace graticule

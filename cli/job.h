// Runs a command's body as one rank of the job it was started in, and turns errors into one message and one
// exit code.
#pragma once

#include <functional>

#include "graticule/comm/launch.h"

namespace graticule {

/// `body` gives the exit code. std::invalid_argument ends with 2, anything else with 1. An error that all
/// ranks share (thrown by agree) is printed by rank 0 alone; an error of one rank is printed by it and ends
/// the whole job.
int run_job(const std::function<int(const World&)>& body);

/// The same for a command that is no job of ranks; refuses to be started several times by a launcher.
int run_alone(const std::function<int()>& body);

}  // namespace graticule

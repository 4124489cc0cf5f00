// Runs the body of a command as one rank of the job it was started in. Turns an error into one message and
// one exit code.
#pragma once

#include <functional>

#include "graticule/comm/launch.h"

namespace graticule {

/// Runs `body` on every rank and returns its exit code, or after an error 2 for graticule's own
/// std::invalid_argument (refuse) and 1 for anything else. Rank 0 alone prints an error that all ranks share
/// (thrown by agree). A rank with an error of its own prints it and ends the whole job.
int run_job(const std::function<int(const World&)>& body);

/// The same for a command that needs one process. Refuses to be started several times by a launcher.
int run_alone(const std::function<int()>& body);

}  // namespace graticule

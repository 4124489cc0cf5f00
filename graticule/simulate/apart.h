// Runs a function in a process of its own. The simulator needs this because SimGrid's engine can be made only
// once in a process.
#pragma once

#include <functional>
#include <string>

namespace graticule {

/// Runs `work` in a forked copy of this process and returns its result. Other threads of this process do not
/// exist in the copy. If `work` throws, throws std::runtime_error with the same message. Throws
/// std::runtime_error too if no process can be started, or if it ends without an answer.
std::string run_apart(const std::function<std::string()>& work);

}  // namespace graticule

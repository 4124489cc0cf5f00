// Work in a process of its own.
#pragma once

#include <functional>
#include <string>

namespace graticule {

/// Runs `work` in a copy of this process and gives what it gave; what it threw is thrown as a runtime error
/// with the same message. For libraries that keep their state in the process and serve once. Threads that the
/// process has are not in the copy.
std::string run_apart(const std::function<std::string()>& work);

}  // namespace graticule

// The command `graticule bench comm`. It times every operation of the group of all ranks beside the MPI call
// that does the same.
#pragma once

#include <CLI/CLI.hpp>

#include "cli/commands.h"

namespace graticule {

/// Adds the command to `bench`. If the user gives it, `action` is set to what runs it.
void add_bench_comm(CLI::App& bench, Action& action);

}  // namespace graticule

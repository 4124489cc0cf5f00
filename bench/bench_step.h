// The command `graticule bench step`. It times a training step: the whole, its parts, the bytes sent by each
// group and the peak memory of each rank.
#pragma once

#include <CLI/CLI.hpp>

#include "cli/commands.h"

namespace graticule {

/// Adds the command to `bench`. If the user gives it, `action` is set to what runs it.
void add_bench_step(CLI::App& bench, Action& action);

}  // namespace graticule

// The command `graticule bench linear`. It times the products of linear layers beside ATen's and beside
// brgemm alone (linear_speed.h).
#pragma once

#include <CLI/CLI.hpp>

#include "cli/commands.h"

namespace graticule {

/// Adds the command to `bench`. If the user gives it, `action` is set to what runs it.
void add_bench_linear(CLI::App& bench, Action& action);

}  // namespace graticule

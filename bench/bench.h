// The command `graticule bench` with its subcommands attention, comm and step. They measure this machine.
#pragma once

#include "cli/commands.h"

namespace graticule {

/// Adds the command to `app`. If the user gives it, `action` is set to what runs it.
void add_bench(CLI::App& app, Action& action);

}  // namespace graticule

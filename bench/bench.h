// The command `graticule bench` with its subcommands attention, comm and step. They measure this machine.
#pragma once

#include "cli/commands.h"

namespace graticule {

void add_bench(CLI::App& app, Action& action);

}  // namespace graticule

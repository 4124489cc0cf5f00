// graticule bench: measures this machine.
#pragma once

#include "cli/commands.h"

namespace graticule {

void add_bench(CLI::App& app, Action& action);

}  // namespace graticule

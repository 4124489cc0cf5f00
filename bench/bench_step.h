// `graticule bench step`: what one training step costs, and where its time goes.
#pragma once

#include <CLI/CLI.hpp>

#include "cli/commands.h"

namespace graticule {

void add_bench_step(CLI::App& bench, Action& action);

}  // namespace graticule

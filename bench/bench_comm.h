// `graticule bench comm`: every operation of a group of all ranks, beside the bare MPI call of its meaning.
#pragma once

#include <CLI/CLI.hpp>

#include "cli/commands.h"

namespace graticule {

void add_bench_comm(CLI::App& bench, Action& action);

}  // namespace graticule

// `graticule bench attention`: the attention kernel against ATen's, and against the bare matrix products.
#pragma once

#include <CLI/CLI.hpp>

#include "cli/commands.h"

namespace graticule {

void add_bench_attention(CLI::App& bench, Action& action);

}  // namespace graticule

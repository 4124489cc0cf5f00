// The command `graticule bench attention`. It times the attention kernel beside ATen's kernel and beside the
// matrix products alone (attention_speed.h), or a scheme over several ranks (bench_schemes.h).
#pragma once

#include <CLI/CLI.hpp>

#include "cli/commands.h"

namespace graticule {

void add_bench_attention(CLI::App& bench, Action& action);

}  // namespace graticule

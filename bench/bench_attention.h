// The command `graticule bench attention`. It times the attention kernel beside ATen's kernel and beside the
// matrix products alone (attention_speed.h), or a scheme over several ranks (bench_schemes.h).
#pragma once

#include <CLI/CLI.hpp>

#include "cli/commands.h"

namespace graticule {

/// Adds the command to `bench`. If the user gives it, `action` is set to what runs it.
void add_bench_attention(CLI::App& bench, Action& action);

}  // namespace graticule

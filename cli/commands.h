// One function a command: it adds its options to the command line and what to do when it is chosen.
#pragma once

#include <CLI/CLI.hpp>

#include <functional>
#include <string>

#include "graticule/comm/launch.h"

namespace graticule {

/// What the chosen command does; gives the exit code. Set by the command's callback, run by main once all
/// arguments are read.
using Action = std::function<int()>;

void add_train(CLI::App& app, Action& action);
void add_eval(CLI::App& app, Action& action);
void add_forecast(CLI::App& app, Action& action);
void add_export(CLI::App& app, Action& action);
void add_data(CLI::App& app, Action& action);
void add_check(CLI::App& app, Action& action);
/// `calibrate` measures the machine and writes its description to a file; it is handed in, since what measures is
/// above the command line (bench/).
void add_plan(CLI::App& app, Action& action,
              std::function<int(const std::string& path, const World& world)> calibrate);
void add_simulate(CLI::App& app, Action& action);

}  // namespace graticule

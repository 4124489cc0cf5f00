// The commands of the program. Each function adds one command with its options to `app`. When the command is
// chosen, its callback sets `action`.
#pragma once

#include <CLI/CLI.hpp>

#include <functional>
#include <string>

#include "graticule/comm/launch.h"

namespace graticule {

/// Runs the chosen command and returns the exit code. main calls it after all arguments are read.
using Action = std::function<int()>;

void add_train(CLI::App& app, Action& action);
void add_eval(CLI::App& app, Action& action);
void add_forecast(CLI::App& app, Action& action);
void add_predict(CLI::App& app, Action& action);
void add_export(CLI::App& app, Action& action);
void add_data(CLI::App& app, Action& action);
void add_data_check(CLI::App& data, Action& action);    ///< `data check`
void add_data_convert(CLI::App& data, Action& action);  ///< `data convert`
void add_check(CLI::App& app, Action& action);
/// `calibrate` measures the machine and writes its description to `path`. main passes it in, because the code
/// that measures is in bench/, which is above the command line.
void add_plan(CLI::App& app, Action& action,
              std::function<int(const std::string& path, const World& world)> calibrate);
void add_simulate(CLI::App& app, Action& action);
void add_report(CLI::App& app, Action& action);  ///< `report` and `watch`

}  // namespace graticule

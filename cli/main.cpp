// graticule: train, evaluate and forecast with Vision Transformers over very long token sequences.

#include <iostream>

#include "bench/bench.h"
#include "bench/calibrate.h"
#include "cli/commands.h"
#include "cli/hangup.h"
#include "graticule/comm/launch.h"

int main(int argc, char** argv) {
  graticule::restore_hangup();
  CLI::App app{
      "Train Vision Transformers with full attention on very long sequences of scientific-image tokens."};
  app.require_subcommand(1);
  app.set_version_flag("--version", "graticule " GRATICULE_VERSION);
  app.set_help_all_flag("--help-all", "Print the help of every command");
  graticule::Action action;
  graticule::add_train(app, action);
  graticule::add_eval(app, action);
  graticule::add_forecast(app, action);
  graticule::add_predict(app, action);
  graticule::add_export(app, action);
  graticule::add_data(app, action);
  graticule::add_check(app, action);
  graticule::add_bench(app, action);
  graticule::add_plan(app, action, graticule::run_calibrate);
  graticule::add_simulate(app, action);
  graticule::add_report(app, action);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // CLI11 returns 0 for --help and --version; any other code is a wrong command line.
    std::ostream nowhere(nullptr);
    const bool speaks = graticule::is_first_process();
    return app.exit(error, speaks ? std::cout : nowhere, speaks ? std::cerr : nowhere) == 0 ? 0 : 2;
  }
  return action();
}

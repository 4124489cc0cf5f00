// graticule: train, evaluate and forecast with Vision Transformers over very long token sequences.

#include "bench/bench.h"
#include "bench/calibrate.h"
#include "cli/commands.h"
#include "cli/hangup.h"

int main(int argc, char** argv) {
  graticule::restore_hangup();
  CLI::App app{
      "Train Vision Transformers with full attention on very long sequences of scientific-image tokens."};
  app.require_subcommand(1);
  app.set_version_flag("--version", "graticule 0.1.0");
  app.set_help_all_flag("--help-all", "Print the help of every command");
  graticule::Action action;
  graticule::add_train(app, action);
  graticule::add_eval(app, action);
  graticule::add_forecast(app, action);
  graticule::add_export(app, action);
  graticule::add_data(app, action);
  graticule::add_check(app, action);
  graticule::add_bench(app, action);
  graticule::add_plan(app, action, graticule::run_calibrate);
  graticule::add_simulate(app, action);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // CLI11 returns 0 for --help and --version; any other code is a wrong command line.
    return app.exit(error) == 0 ? 0 : 2;
  }
  return action();
}

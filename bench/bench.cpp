#include "bench/bench.h"

#include "bench/bench_attention.h"
#include "bench/bench_comm.h"
#include "bench/bench_linear.h"
#include "bench/bench_step.h"

namespace graticule {

void add_bench(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand(
      "bench", "Measure this machine: a training step, attention, linear layers, operations between ranks");
  command->require_subcommand(1);
  add_bench_attention(*command, action);
  add_bench_comm(*command, action);
  add_bench_linear(*command, action);
  add_bench_step(*command, action);
}

}  // namespace graticule

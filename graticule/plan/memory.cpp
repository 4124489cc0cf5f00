#include "graticule/plan/memory.h"

#include "graticule/plan/dry_run.h"

namespace graticule {

Booked memory_of_step(const Options& options, const ModelShape& shape, const Axes& axes, int rank) {
  return dry_run(options, shape, {axes.world(), rank, 1}).peak;
}

}  // namespace graticule

#include "graticule/core/error.h"
#include "graticule/simulate/simulator.h"

namespace graticule {

Simulation simulate_step(const WorldTraces&, const Cluster&, Precision, const SimulationOptions&) {
  refuse("simulate",
         "this program was built without SimGrid: install libsimgrid-dev (Debian) or SimGrid 3.32 ",
         "or newer, and configure the build again");
}

}  // namespace graticule

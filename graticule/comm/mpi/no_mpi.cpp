#include "graticule/comm/mpi/mpi.h"
#include "graticule/core/error.h"

namespace graticule {

bool mpi_is_built_in() { return false; }

std::string mpi_library() { return ""; }

World mpi_world() {
  fail("launch",
       "a launcher started several ranks, but MPI was not built in: build with -DGRATICULE_MPI=ON, "
       "or start the program alone");
}

}  // namespace graticule

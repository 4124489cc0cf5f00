// Ranks as processes started by mpiexec or srun, on CPU tensors: a c10d back end over MPI (3.1 or newer).
#pragma once

#include <string>

#include "graticule/comm/launch.h"

namespace graticule {

bool mpi_is_built_in();

/// Name and version of the MPI library, which need not be started; "" when MPI was not built in.
std::string mpi_library();

/// Joins the MPI job. The World and its groups own MPI: it is finalized when the last of them is gone. A
/// World that is destroyed by an exception leaves without finalizing, and the launcher ends the job. Fails
/// when MPI was not built in. Once a process.
World mpi_world();

}  // namespace graticule

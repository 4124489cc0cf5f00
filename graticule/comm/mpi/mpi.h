// A back end of comm: ranks are processes started by mpiexec or srun, over MPI (3.1 or newer). Tensors of a
// GPU travel through host memory. Without MPI, no_mpi.cpp takes its place.
#pragma once

#include <string>

#include "graticule/comm/launch.h"

namespace graticule {

/// Whether this program was built with MPI.
bool mpi_is_built_in();

/// Name and version of the MPI library, also before MPI is started; "" when MPI was not built in.
std::string mpi_library();

/// Joins the MPI job; call it once a process. Collective. The World and its groups own MPI, which is
/// finalized when the last of them is destroyed. During an exception MPI is not finalized; the process exits
/// and the launcher ends the job. Fails when MPI was not built in.
World mpi_world();

}  // namespace graticule

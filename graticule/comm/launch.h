// How this process came to life: alone, by mpiexec or srun, or as a thread of a test. The only reader of the environment.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "graticule/comm/group.h"

namespace graticule {

/// A job of `size` ranks as this rank sees it. Made by the back ends (`mpi`, `threads`, `dry`).
struct World {
  int rank = 0;
  int size = 1;
  int local_rank = 0;  ///< among the ranks of this node: chooses the GPU
  int local_size = 1;
  /// Makes a group of all ranks that pass the same `color`, ordered by `key`; collective over the world.
  std::function<Group(int color, int key, const std::string& label)> split;
  /// Ends every rank of the job at once with this exit code.
  std::function<void(int code)> abort;
};

/// Joins the job this process was started in: MPI when a launcher's variables say so (PMI_RANK, PMIX_RANK,
/// OMPI_COMM_WORLD_RANK, SLURM_PROCID with SLURM_NTASKS > 1) and it was built in, else a world of one rank.
/// Fails clearly when a launcher started several ranks and MPI was not built in.
World launch();

/// Runs `body` on every rank so that all reach one verdict: when it throws anywhere, the lowest failing rank's message is thrown
/// on every rank, std::invalid_argument before std::runtime_error. Collective; use it for set-up, before the first collective of training.
void agree(const World& world, const Group& everyone, const std::function<void()>& body);

}  // namespace graticule

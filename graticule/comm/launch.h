// How this process came to life: alone, by mpiexec or srun, or as a thread of a test. The only reader of the
// environment.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "graticule/comm/group.h"

namespace graticule {

/// A job of `size` ranks as this rank sees it. Made by the back ends (`mpi`, `threads`, `dry`).
struct World {
  int rank = 0;
  int size = 1;
  int local_rank = 0;  ///< among the ranks of this node: chooses the GPU
  int local_size = 1;
  /// Cuts the world into groups: each rank names the members of its own (world ranks, itself among them, in
  /// the order of their ranks in the group). Collective over the world.
  std::function<Group(const std::vector<int>& members, const std::string& label)> split;
  /// Ends every rank of the job at once with this exit code.
  std::function<void(int code)> abort;
  /// Looks after the waits of this rank: tell it the step, and how long a wait may last.
  std::shared_ptr<Watch> watch = std::make_shared<Watch>();
};

/// The group of all ranks, labelled "world". Collective.
Group group_of_all(const World& world);

/// `mine` of rank `root`, on every rank. Collective.
std::string broadcast_text(const Group& group, const std::string& mine, int root);

/// `rank`'s place among the members of its group; a bug when it is not there.
int place_in(const std::vector<int>& members, int rank);

/// A world of this process alone.
World lone_world();

/// Joins the job this process was started in: MPI when a launcher's variables say so (PMI_RANK, PMIX_RANK,
/// OMPI_COMM_WORLD_RANK, SLURM_PROCID with SLURM_NTASKS > 1) and it was built in, else a world of one rank.
/// With NCCL built in and MASTER_ADDR set (by torchrun, or by the user beside srun or mpiexec) the ranks meet
/// at MASTER_ADDR:MASTER_PORT, one GPU each, and MPI takes no part. Refuses, naming the launcher, when one
/// started several processes and MPI was not built in, or MPI sees one rank only (another MPI's launcher).
World launch();

/// For a command that is no job of ranks: refuses to be started several times by a launcher.
void refuse_several();

/// Lets this process keep the memory it frees, for its next tensors. glibc gives large blocks back at once,
/// and the kernel then clears every page anew: at 64 MiB that costs more than the message. Call it once,
/// before the first large tensor; the process stays as large as it ever was.
void keep_freed_memory();

/// What agree() throws also is one of these: every rank has it, so one of them is enough to show it.
struct Agreed {
  virtual ~Agreed() = default;
};

/// Runs `body` on every rank so that all reach one verdict: when it throws anywhere, the lowest failing
/// rank's message is thrown on every rank, std::invalid_argument before std::runtime_error. Collective; use
/// it for set-up, before the first collective of training.
void agree(const World& world, const Group& everyone, const std::function<void()>& body);

}  // namespace graticule

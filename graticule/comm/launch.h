// The job of this process: a World of one rank, of processes started by mpiexec, srun or torchrun, or of
// threads in a test. This unit is the only reader of environment variables in the rooms from core to model. A
// command calls launch() once, makes its mesh from the World, and checks its input with agree().
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "graticule/comm/group.h"

namespace graticule {

/// A job of `size` ranks as this rank sees it. A back end makes it (`mpi`, `nccl`, `threads`, `dry`).
struct World {
  int rank = 0;
  int size = 1;
  int local_rank = 0;  ///< place among the ranks of this node; it chooses the GPU
  int local_size = 1;
  /// Cuts the world into groups. Each rank gives the members of its own group as world ranks, itself among
  /// them, in the order of their ranks in the group. Collective over the world.
  std::function<Group(const std::vector<int>& members, const std::string& label)> split;
  /// Ends every rank of the job at once with this exit code.
  std::function<void(int code)> abort;
  /// Watches the waits of this rank. Set the training step and the time-out here.
  std::shared_ptr<Watch> watch = std::make_shared<Watch>();
};

/// The group of all ranks, labelled "world". Collective.
Group group_of_all(const World& world);

/// The text `mine` of rank `root`, on every rank. Collective over `group`.
std::string broadcast_text(const Group& group, const std::string& mine, int root);

/// A world of one rank: this process.
World lone_world();

/// Joins the job in which a launcher started this process. Call it once.
/// - With MASTER_ADDR set (by torchrun, or by the user beside srun or mpiexec) and NCCL built in, the ranks
///   meet at MASTER_ADDR:MASTER_PORT with one GPU each, and MPI is not used.
/// - Else MPI, when a launcher's variables name a rank (PMI_RANK, PMIX_RANK, OMPI_COMM_WORLD_RANK, or
///   SLURM_PROCID with SLURM_NTASKS > 1) and MPI was built in.
/// - Else a world of one rank.
///
/// Refuses, naming the launcher, when it started several processes and MPI was not built in, or when MPI sees
/// only one rank (the launcher is from another MPI).
World launch();

/// Whether this process speaks for all that a launcher started, by the launcher's variables. For messages before
/// launch(); true without a launcher.
bool is_first_process();

/// For commands that run in one process: refuses when a launcher started several processes.
void refuse_several();

/// Makes this process keep freed memory for its next tensors. By default glibc returns large blocks to the
/// kernel at once, and the kernel clears every page again: at 64 MiB that costs more time than the message.
/// Call it once, before the first large tensor. The process then never gets smaller.
void keep_freed_memory();

/// Base class of every exception that agree() throws. All ranks throw such an error with the same message, so
/// the program prints it on one rank only.
struct Agreed {
  virtual ~Agreed() = default;
};

/// Runs `body` on every rank and gives all ranks the same verdict. When it throws on any rank, every rank
/// throws the same message: that of the lowest rank with a std::invalid_argument, else that of the lowest
/// rank that failed. Collective. Use it for checks during set-up, before the first collective of training.
void agree(const World& world, const Group& everyone, const std::function<void()>& body);

}  // namespace graticule

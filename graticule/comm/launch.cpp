#include "graticule/comm/launch.h"

#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>

#include <malloc.h>
#include <sys/prctl.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <numeric>

#include "graticule/comm/mpi/mpi.h"
#include "graticule/comm/nccl/nccl.h"
#include "graticule/core/error.h"

namespace graticule {
namespace {

std::optional<std::string> variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? std::optional<std::string>(value) : std::nullopt;
}

/// The number in the first of these variables that is set. Refuses text that is no number.
std::optional<int> number_in(std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const auto value = variable(name);
    if (!value) continue;
    char* end = nullptr;
    const long number = std::strtol(value->c_str(), &end, 10);
    if (end == value->c_str() || *end != '\0')
      refuse("launch", name, " is \"", *value, "\": a number is needed");
    return static_cast<int>(number);
  }
  return std::nullopt;
}

constexpr auto rank_names = {"RANK", "PMI_RANK", "PMIX_RANK", "OMPI_COMM_WORLD_RANK", "SLURM_PROCID"};
constexpr auto size_names = {"WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS",
                             "SLURM_NTASKS"};
constexpr auto local_rank_names = {"LOCAL_RANK", "MPI_LOCALRANKID", "OMPI_COMM_WORLD_LOCAL_RANK",
                                   "SLURM_LOCALID"};
constexpr auto local_size_names = {"LOCAL_WORLD_SIZE", "MPI_LOCALNRANKS", "OMPI_COMM_WORLD_LOCAL_SIZE"};

bool started_by_mpi() {
  if (number_in({"PMI_RANK", "PMIX_RANK", "OMPI_COMM_WORLD_RANK"})) return true;
  return number_in({"SLURM_PROCID"}) && number_in({"SLURM_NTASKS"}).value_or(1) > 1;
}

World launch_nccl() {
  NcclPlace place;
  place.rank = number_in(rank_names).value_or(0);
  place.size = number_in(size_names).value_or(1);
  place.local_rank = number_in(local_rank_names).value_or(0);
  place.local_size = number_in(local_size_names).value_or(1);
  place.address = *variable("MASTER_ADDR");
  place.port = number_in({"MASTER_PORT"}).value_or(29500);
  return nccl_world(place);
}

/// The environment variables of one launcher.
struct Launcher {
  const char* name;
  const char* size;  ///< variable with the number of processes; null when there is none
  const char* rank;  ///< variable with the rank
};
// SLURM_NTASKS is not read: a batch script has it too, and a command in the script runs only once.
constexpr Launcher launchers[] = {
    {"Open MPI's mpirun", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"},
    {"a launcher of the PMI kind (mpiexec of MPICH or Intel MPI, srun --mpi=pmi2)", "PMI_SIZE", "PMI_RANK"},
    {"srun", "SLURM_STEP_NUM_TASKS", "SLURM_PROCID"},
    {"a launcher of the PMIx kind (prterun, mpirun of Open MPI, srun --mpi=pmix)", nullptr, "PMIX_RANK"},
};

/// The launcher that started this process and others beside it, in words; nothing when there is none.
std::optional<std::string> launcher_of_several() {
  for (const auto& [name, size, rank] : launchers) {
    const int processes = size ? number_in({size}).value_or(1) : 1, mine = number_in({rank}).value_or(0);
    if (processes > 1) return text(name, " started ", processes, " processes (", size, ")");
    if (mine > 0) return text(name, " started this process as its rank ", mine, " (", rank, ")");
  }
  return std::nullopt;
}

enum class Failure { invalid_argument, logic_error, runtime_error };

/// An error that agree() throws on every rank.
template <class Error>
struct AgreedError : Error, Agreed {
  using Error::Error;
};

struct Verdict {
  Failure failure = Failure::runtime_error;
  std::string message;
};

std::optional<Verdict> verdict_of(const std::function<void()>& body) {
  try {
    body();
    return std::nullopt;
  } catch (const std::invalid_argument& error) {
    return Verdict{Failure::invalid_argument, error.what()};
  } catch (const std::logic_error& error) {
    return Verdict{Failure::logic_error, error.what()};
  } catch (const std::exception& error) {
    return Verdict{Failure::runtime_error, error.what()};
  }
}

}  // namespace

Group group_of_all(const World& world) {
  std::vector<int> members(world.size);
  std::iota(members.begin(), members.end(), 0);
  return world.split(members, "world");
}

std::string broadcast_text(const Group& group, const std::string& mine, int root) {
  const auto length = at::full({1}, static_cast<int64_t>(mine.size()), at::kLong);
  const auto bytes = group.broadcast(length, root).wait().item<int64_t>();
  at::Tensor letters = at::zeros({bytes}, at::kByte);
  if (group.rank() == root) std::copy(mine.begin(), mine.end(), letters.data_ptr<uint8_t>());
  letters = group.broadcast(letters, root).wait();
  return {letters.data_ptr<uint8_t>(), letters.data_ptr<uint8_t>() + bytes};
}

World lone_world() {
  World world;
  world.split = [](const std::vector<int>&, const std::string& label) { return Group(label); };
  world.abort = [](int code) { std::exit(code); };
  return world;
}

World launch() {
  if (variable("MASTER_ADDR") && (nccl_is_built_in() || variable("WORLD_SIZE"))) return launch_nccl();
  const auto several = launcher_of_several();
  if (several && !mpi_is_built_in())
    refuse("launch", *several,
           ", but this program was built without MPI: build it with -DGRATICULE_MPI=ON, or start it once");
  // Without this check, MPICH would fail under Open MPI's variables with a message about PMI.
  const bool foreign =
      several && variable("OMPI_COMM_WORLD_SIZE") && mpi_library().find("MPICH") != std::string::npos;
  World world = started_by_mpi() && !foreign ? mpi_world() : lone_world();
  // A launcher's daemon that was killed cannot end its ranks any more. They would train on, unseen, and keep the next job
  // from the run.
  if (world.size > 1) ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (several && world.size == 1)
    refuse(
        "launch", *several,
        ", but MPI sees one rank: each would work alone on the same files. Start with the mpiexec of the MPI "
        "that the program was built with (srun: another --mpi=, such as pmi2 or pmix; srun --mpi=list names "
        "them), or start it once, without a launcher");
  return world;
}

bool is_first_process() {
  for (const char* name : rank_names) {
    if (const auto rank = variable(name)) return *rank == "0";
  }
  return true;
}

void refuse_several() {
  if (const auto several = launcher_of_several())
    refuse("launch", *several, ", but this command is one process's work: start it once, without a launcher");
}

void keep_freed_memory() {
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, -1);
}

void agree(const World& world, const Group& everyone, const std::function<void()>& body) {
  const auto mine = verdict_of(body);
  // A user's mistake takes precedence; then the lowest rank.
  const bool refused = mine && mine->failure == Failure::invalid_argument;
  const int64_t none = 2 * int64_t{world.size};
  const int64_t order = !mine ? none : world.rank + (refused ? 0 : world.size);
  const auto first =
      everyone.all_reduce(at::full({1}, order, at::kLong), Reduction::min).wait().item<int64_t>();
  if (first == none) return;
  const int root = static_cast<int>(first % world.size);
  const std::string sent = mine ? std::to_string(static_cast<int>(mine->failure)) + mine->message : "";
  const std::string told = broadcast_text(everyone, sent, root);
  const std::string message = told.substr(1);
  switch (static_cast<Failure>(told[0] - '0')) {
    case Failure::invalid_argument:
      throw AgreedError<std::invalid_argument>(message);
    case Failure::logic_error:
      throw AgreedError<std::logic_error>(message);
    case Failure::runtime_error:
      throw AgreedError<std::runtime_error>(message);
  }
}

}  // namespace graticule

// Trains until the run is finished, with a new job after each lost one (restarts.h has the rule).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace graticule {

struct Supervised {
  int64_t restarts = 0;  ///< 0: this process trains itself, as one rank of the job that it was started in
  int64_t ranks = 1;
  std::string launch = "mpiexec -n {ranks}";  ///< words for a shell
  bool keeps_ranks = false;
  std::string run_folder;
  std::string resume;                  ///< of the first job
  std::vector<std::string> arguments;  ///< of `graticule train`, without those above
};

/// Starts one job after another and returns the exit code of the last. Says on standard error and in RUN/log.txt
/// why it starts another, or why it does not. With fewer ranks than at first the job gets --replan.
int supervise(const Supervised& training);

}  // namespace graticule

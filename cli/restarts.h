// Starts a training job again after a lost rank: `graticule train RECIPE --restarts N`. This process starts the
// launcher (mpiexec, srun) as a child, waits for its end, and decides by the end what to do.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace graticule {

/// How a job ended.
struct JobEnd {
  int code = 0;              ///< of the launcher; 128 + number when a signal ended the launcher itself
  std::string message = {};  ///< the last "graticule: [place] ..." that it printed; "": none
};

/// What comes after the end of a job. Decided from the end alone, and from what the jobs before it did.
class RestartRule {
 public:
  /// `restarts`: how often a job may be started again. `ranks`: of the first job. `keeps_ranks`: a lost rank is
  /// replaced by the batch system, so the number stays.
  RestartRule(int64_t restarts, int64_t ranks, bool keeps_ranks);

  struct Next {
    bool again = false;
    int64_t ranks = 1;
    std::string why;  ///< a sentence without a full stop; empty after success
  };
  /// `progressed`: the run has a checkpoint that it did not have when the job began.
  ///
  /// Not started again: success; a mistake of the user (exit code 2); a fault of the recipe or the program
  /// ([train], [memory], [verify], [bug]); the same message twice without a new checkpoint; three jobs in a row
  /// without one; no restart left. A rank is lost when the launcher ends with a code that the program does not
  /// have (a signal), or a rank gave no answer ([watchdog]).
  Next after(const JobEnd& end, bool progressed);

 private:
  int64_t restarts_, ranks_, used_ = 0, without_progress_ = 0;
  bool keeps_ranks_;
  std::string last_message_;
};

/// Starts `launch` (words for a shell; "{ranks}" stands for the number of ranks; empty: no launcher) with
/// `arguments` as a child of this process, and returns its end. What it prints is passed on. SIGTERM, SIGINT
/// and SIGHUP are passed on to it and set `stopped`. The child gets SIGTERM when this process dies.
JobEnd run_launcher(const std::string& launch, int64_t ranks, const std::vector<std::string>& arguments,
                    bool& stopped);

}  // namespace graticule

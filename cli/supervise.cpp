#include "cli/supervise.h"

#include <filesystem>
#include <fstream>
#include <iostream>

#include "cli/restarts.h"
#include "graticule/core/error.h"
#include "graticule/train/history.h"

namespace graticule {

namespace {

void say_of_job(const Supervised& training, const std::string& sentence) {
  std::cerr << "graticule: " << sentence << std::endl;
  std::error_code none;
  if (std::filesystem::exists(training.run_folder, none))
    std::ofstream(training.run_folder + "/log.txt", std::ios::app) << sentence << std::endl;
}

std::vector<std::string> arguments_of_job(const std::string& program, const Supervised& training,
                                          const std::string& resume, bool replans) {
  std::vector<std::string> all = {program, "train"};
  all.insert(all.end(), training.arguments.begin(), training.arguments.end());
  if (!resume.empty()) all.insert(all.end(), {"--resume", resume});
  if (replans) all.emplace_back("--replan");
  return all;
}

}  // namespace

int supervise(const Supervised& training) {
  RestartRule rule(training.restarts, training.ranks, training.keeps_ranks);
  std::string resume = training.resume;
  // Asked once: later the file may have been replaced, and then the link names none.
  const std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
  for (int64_t ranks = training.ranks;;) {
    const auto before = newest_checkpoint(training.run_folder);
    bool stopped = false;
    const JobEnd end =
        run_launcher(training.ranks == 1 ? "" : training.launch, ranks,
                     arguments_of_job(program, training, resume, ranks != training.ranks), stopped);
    const auto now = newest_checkpoint(training.run_folder);
    const bool progressed = now && now != before;
    // A job that goes back to an older checkpoint does so again until it has one of its own.
    if (progressed || resume.empty()) resume = "auto";
    const RestartRule::Next next = rule.after(end, progressed);
    if (stopped || !next.again) {
      if (!stopped && !next.why.empty()) say_of_job(training, "[restart] not started again: " + next.why);
      return end.code;
    }
    say_of_job(training, text("[restart] ", next.why, ", from ",
                              resume != "auto" ? resume
                              : now            ? *now
                                               : std::string("the start")));
    ranks = next.ranks;
  }
}

}  // namespace graticule

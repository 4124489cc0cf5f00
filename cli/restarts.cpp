#include "cli/restarts.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <iostream>

#include "graticule/core/error.h"

namespace graticule {

namespace {

constexpr int64_t most_without_progress = 3;

// A rank that a signal ended leaves no message. After an error of the program mpiexec may tell the signal by which it
// ended the other ranks: then there is a message, and no rank is lost.
bool lost_a_rank(const JobEnd& end) {
  if (end.message.starts_with("[watchdog]")) return end.message.find("no answer") != std::string::npos;
  return end.code > 2 && end.message.empty();
}

// Whether the same would happen again, whatever the ranks.
bool is_own_fault(const JobEnd& end) {
  constexpr std::array own = {"[train]", "[memory]", "[verify]", "[bug]"};
  return end.code == 2 || std::any_of(own.begin(), own.end(),
                                      [&](const char* place) { return end.message.starts_with(place); });
}

volatile std::sig_atomic_t child_of_launcher = 0, stop_asked = 0;

// A terminal sends Ctrl-C to the child as well (SI_KERNEL), so only other senders are passed on.
void pass_on(int number, siginfo_t* info, void*) {
  stop_asked = 1;
  if (child_of_launcher > 0 && info->si_code != SI_KERNEL) ::kill(child_of_launcher, number);
}

// Handles the signals during its lifetime.
class PassingOn {
 public:
  PassingOn() {
    struct sigaction action = {};
    action.sa_sigaction = pass_on;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    for (size_t i = 0; i < signals.size(); ++i) {
      ::sigaction(signals[i], nullptr, &before_[i]);
      if (before_[i].sa_handler != SIG_IGN) ::sigaction(signals[i], &action, nullptr);
    }
  }
  ~PassingOn() {
    for (size_t i = 0; i < signals.size(); ++i) ::sigaction(signals[i], &before_[i], nullptr);
  }
  PassingOn(const PassingOn&) = delete;
  PassingOn& operator=(const PassingOn&) = delete;

 private:
  static constexpr std::array signals = {SIGTERM, SIGINT, SIGHUP};
  std::array<struct sigaction, 3> before_ = {};
};

[[noreturn]] void become(const std::vector<std::string>& words, int errors) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  ::dup2(errors, STDERR_FILENO);
  std::vector<char*> pointers;
  for (const std::string& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  ::execvp(pointers.front(), pointers.data());
  ::_exit(127);
}

// Passes on what the job prints as errors, and returns the last message of ours.
std::string pass_errors(int from) {
  constexpr std::string_view ours = "graticule: [";
  std::array<char, 4096> part = {};
  std::string line, message;
  for (ssize_t count = 0; (count = ::read(from, part.data(), part.size())) != 0;) {
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) break;
    std::cerr << std::string_view(part.data(), static_cast<size_t>(count)) << std::flush;
    for (const char c : std::string_view(part.data(), static_cast<size_t>(count))) {
      if (c != '\n') line += c;
      if (c != '\n') continue;
      const size_t begin = line.find(ours);
      if (begin != std::string::npos) message = line.substr(begin + ours.size() - 1);
      line.clear();
    }
  }
  return message;
}

std::string with_ranks(std::string launch, int64_t ranks) {
  constexpr std::string_view blank = "{ranks}";
  for (size_t at = 0; (at = launch.find(blank, at)) != std::string::npos;)
    launch.replace(at, blank.size(), std::to_string(ranks));
  return launch;
}

}  // namespace

RestartRule::RestartRule(int64_t restarts, int64_t ranks, bool keeps_ranks)
    : restarts_(restarts), ranks_(ranks), keeps_ranks_(keeps_ranks) {}

RestartRule::Next RestartRule::after(const JobEnd& end, bool progressed) {
  if (end.code == 0) return {};
  const bool same = !progressed && !end.message.empty() && end.message == last_message_;
  last_message_ = end.message;
  without_progress_ = progressed ? 1 : without_progress_ + 1;
  const auto stays_down = [&](const std::string& why) { return Next{false, ranks_, why}; };
  if (end.code == 2) return stays_down("");  // its own message is enough
  if (is_own_fault(end)) return stays_down("the fault is the recipe's own and would come again");
  if (same) return stays_down("the same fault came twice without a new checkpoint: it would come again");
  if (without_progress_ == most_without_progress)
    return stays_down(text(most_without_progress, " jobs in a row ended without a new checkpoint"));
  if (used_ == restarts_) return stays_down(text("all ", restarts_, " restarts are used"));
  ++used_;
  const bool lost = lost_a_rank(end);
  if (lost && !keeps_ranks_) ranks_ = std::max<int64_t>(1, ranks_ - 1);
  return {true, ranks_,
          text(lost ? text("a rank was lost (exit code ", end.code, ")")
                    : text("the job ended with code ", end.code),
               "; restart ", used_, " of ", restarts_, " with ", ranks_, ranks_ == 1 ? " rank" : " ranks")};
}

JobEnd run_launcher(const std::string& launch, int64_t ranks, const std::vector<std::string>& arguments,
                    bool& stopped) {
  // The shell reads the words of the launcher; our own arguments pass it untouched.
  std::vector<std::string> words = {"/bin/sh", "-c", "exec " + with_ranks(launch, ranks) + " \"$@\"", "sh"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::array<int, 2> errors = {};
  if (::pipe(errors.data()) != 0) fail("restart", "no pipe for the job: ", std::strerror(errno));
  stop_asked = 0;
  const PassingOn passing_on;
  std::cout << std::flush;
  const pid_t child = ::fork();
  if (child < 0) fail("restart", "no process for the job: ", std::strerror(errno));
  if (child == 0) {
    ::close(errors[0]);
    become(words, errors[1]);
  }
  child_of_launcher = child;
  ::close(errors[1]);
  JobEnd end;
  end.message = pass_errors(errors[0]);
  ::close(errors[0]);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  child_of_launcher = 0;
  end.code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  stopped = stop_asked != 0;
  return end;
}

}  // namespace graticule

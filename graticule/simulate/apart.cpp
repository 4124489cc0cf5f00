#include "graticule/simulate/apart.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <exception>

#include "graticule/core/error.h"

namespace graticule {

namespace {

// One end of a pipe. The destructor closes it.
class End {
 public:
  explicit End(int file) : file_(file) {}
  ~End() { close_now(); }
  End(const End&) = delete;
  End& operator=(const End&) = delete;

  void close_now() {
    if (file_ >= 0) close(file_);
    file_ = -1;
  }
  void write_all(const std::string& text) const {
    for (size_t at = 0; at < text.size();) {
      const ssize_t count = write(file_, text.data() + at, text.size() - at);
      if (count <= 0) return;  // the reader is gone
      at += static_cast<size_t>(count);
    }
  }
  std::string read_all() const {
    std::string all;
    std::array<char, 65536> part;
    for (ssize_t count; (count = read(file_, part.data(), part.size())) > 0;) all.append(part.data(), count);
    return all;
  }

 private:
  int file_;
};

constexpr char gave = '+', threw = '-';

std::string told(const std::function<std::string()>& work) {
  try {
    return gave + work();
  } catch (const std::exception& error) {
    return threw + std::string(error.what());
  }
}

}  // namespace

std::string run_apart(const std::function<std::string()>& work) {
  std::array<int, 2> files;
  if (pipe(files.data()) != 0) fail("process", "no pipe could be made: too many files are open");
  End out(files[0]), in(files[1]);
  std::fflush(nullptr);  // else both processes would write the buffered output
  const pid_t child = fork();
  if (child < 0)
    fail("process", "no process could be started: memory or the number of processes is at its limit");
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // the copy ends when this process ends
    in.write_all(told(work));
    in.close_now();
    _exit(0);
  }
  in.close_now();
  const std::string answer = out.read_all();
  waitpid(child, nullptr, 0);
  if (answer.empty())
    fail("process", "the child process ended without a result: see its message above, or check free memory");
  if (answer.front() == threw) throw std::runtime_error(answer.substr(1));
  return answer.substr(1);
}

}  // namespace graticule

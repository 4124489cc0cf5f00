#include "graticule/train/run_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <utility>

#include "graticule/core/error.h"

namespace graticule {

namespace {

using Milliseconds = std::chrono::milliseconds;

std::string this_process() {
  std::array<char, 256> host = {};
  if (::gethostname(host.data(), host.size() - 1) != 0) host[0] = '\0';
  return text("process ", ::getpid(), " on ", host.data());
}

// What the file says of its owner; "": the last one has ended and said so.
std::string holder_in(int descriptor) {
  std::array<char, 512> content = {};
  const ssize_t count = ::pread(descriptor, content.data(), content.size(), 0);
  return count > 0 ? std::string(content.data(), static_cast<size_t>(count)) : "";
}

[[noreturn]] void refuse_second(int descriptor, const std::string& run_folder) {
  const std::string holder = holder_in(descriptor);
  ::close(descriptor);
  refuse("run", "'", run_folder, "' is in use: ", holder.empty() ? "another process" : holder,
         " trains there; wait until it has ended, or choose another run.out");
}

// The time of a file's last change by the clock of its disk, which the hosts share.
Milliseconds time_of_change(int descriptor) {
  struct stat status = {};
  if (::fstat(descriptor, &status) != 0) return {};
  return std::chrono::seconds(status.st_mtim.tv_sec) +
         std::chrono::duration_cast<Milliseconds>(std::chrono::nanoseconds(status.st_mtim.tv_nsec));
}

// The time of the disk: that of a file which was written now.
Milliseconds time_of_disk(const std::string& run_folder) {
  const std::string probe = text(run_folder, "/lock.", ::getpid());
  const int descriptor = ::open(probe.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  const Milliseconds now = time_of_change(descriptor);
  if (descriptor >= 0) ::close(descriptor);
  ::unlink(probe.c_str());
  return now;
}

// Watches the file until its owner counts as ended. Returns false when the owner touches it meanwhile.
bool owner_has_ended(int descriptor, const std::string& run_folder, const SignsOfLife& signs) {
  const Milliseconds last = time_of_change(descriptor);
  if (holder_in(descriptor).empty()) return true;
  const auto end = std::chrono::steady_clock::now() + signs.patience;
  while (time_of_disk(run_folder) - last < signs.patience && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(signs.beat / 10);
    if (time_of_change(descriptor) != last) return false;
  }
  return true;
}

void touch_until_stopped(const std::stop_token& stop, int descriptor, Milliseconds beat) {
  std::mutex mutex;
  std::condition_variable_any stopped;
  std::unique_lock lock(mutex);
  while (!stop.stop_requested()) {
    ::futimens(descriptor, nullptr);
    stopped.wait_for(lock, stop, beat, [] { return false; });
  }
}

}  // namespace

RunLock::RunLock(const std::string& run_folder, bool locks, SignsOfLife signs) {
  const std::string path = run_folder + "/lock";
  descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor_ < 0)
    refuse("run", path, " cannot be written: ", std::strerror(errno), "; choose another run.out");
  held_ = locks && ::flock(descriptor_, LOCK_EX | LOCK_NB) == 0;
  if (!held_ && locks && errno == EWOULDBLOCK) refuse_second(descriptor_, run_folder);
  if (!held_ && !owner_has_ended(descriptor_, run_folder, signs)) refuse_second(descriptor_, run_folder);
  const std::string me = this_process();
  // If this write fails, only the name in another job's message is missing.
  if (::ftruncate(descriptor_, 0) == 0) static_cast<void>(::pwrite(descriptor_, me.data(), me.size(), 0));
  if (!held_) beats_ = std::jthread(touch_until_stopped, descriptor_, signs.beat);
}

RunLock::~RunLock() {
  if (descriptor_ < 0) return;
  if (beats_.joinable()) {
    beats_ = {};  // stops and joins
    static_cast<void>(::ftruncate(descriptor_, 0));
  }
  ::close(descriptor_);
}

RunLock::RunLock(RunLock&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      held_(other.held_),
      beats_(std::move(other.beats_)) {}

}  // namespace graticule

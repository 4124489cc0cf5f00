#include "graticule/train/run_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "graticule/core/error.h"

namespace graticule {

namespace {

std::string this_process() {
  std::array<char, 256> host = {};
  if (::gethostname(host.data(), host.size() - 1) != 0) host[0] = '\0';
  return text("process ", ::getpid(), " on ", host.data());
}

std::string holder_in(int descriptor) {
  std::array<char, 512> content = {};
  const ssize_t count = ::pread(descriptor, content.data(), content.size(), 0);
  return count > 0 ? std::string(content.data(), static_cast<size_t>(count)) : "another process";
}

}  // namespace

RunLock::RunLock(const std::string& run_folder) {
  const std::string path = run_folder + "/lock";
  descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor_ < 0)
    refuse("run", path, " cannot be written: ", std::strerror(errno), "; choose another run.out");
  held_ = ::flock(descriptor_, LOCK_EX | LOCK_NB) == 0;
  if (!held_ && errno == EWOULDBLOCK) {
    const std::string holder = holder_in(descriptor_);
    ::close(descriptor_);
    refuse("run", "'", run_folder, "' is in use: ", holder,
           " trains there; wait until it has ended, or choose another run.out");
  }
  const std::string me = this_process();
  // If this write fails, only the name in another job's message is missing.
  if (::ftruncate(descriptor_, 0) == 0) static_cast<void>(::pwrite(descriptor_, me.data(), me.size(), 0));
}

RunLock::~RunLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

RunLock::RunLock(RunLock&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), held_(other.held_) {}

}  // namespace graticule

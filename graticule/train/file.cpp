#include "graticule/train/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "graticule/core/error.h"

namespace graticule {

namespace {

int open_descriptor(const std::string& path, int flags, const std::string& where, const char* doing) {
  const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC, 0666);
  const bool writing = (flags & O_CREAT) != 0;
  if (descriptor < 0)
    fail(where, path, ": cannot be ", doing, ": ", std::strerror(errno),
         writing ? "; choose another place" : "; check that it exists and that you may read it");
  return descriptor;
}

}  // namespace

File::File(int descriptor, std::string path, std::string where)
    : descriptor_(descriptor), path_(std::move(path)), where_(std::move(where)) {}

File::File(File&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      path_(std::move(other.path_)),
      where_(std::move(other.where_)) {}

File::~File() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

File File::open(const std::string& path, std::string where) {
  const int descriptor = open_descriptor(path, O_RDONLY, where, "read");
  return {descriptor, path, std::move(where)};
}

File File::create(const std::string& path, std::string where) {
  const int descriptor = open_descriptor(path, O_WRONLY | O_CREAT | O_TRUNC, where, "written");
  return {descriptor, path, std::move(where)};
}

void File::damaged(const std::string& what) const { fail(where_, path_, ": ", what); }

void File::broken(const char* doing) const { damaged(text(doing, " failed: ", std::strerror(errno))); }

int64_t File::size() const {
  struct stat status = {};
  if (::fstat(descriptor_, &status) != 0) broken("asking for its size");
  return status.st_size;
}

void File::read_at(int64_t offset, std::span<std::byte> out) const {
  while (!out.empty()) {
    const ssize_t count = ::pread(descriptor_, out.data(), out.size(), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) broken("reading");
    if (count == 0)
      damaged(text("ends at byte ", offset, ", ", out.size(), " bytes too early: copy it again"));
    out = out.subspan(static_cast<size_t>(count));
    offset += count;
  }
}

void File::write_at(int64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::pwrite(descriptor_, bytes.data(), bytes.size(), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0)
      damaged(text("writing failed: ", std::strerror(errno), "; free space there, or choose another place"));
    bytes = bytes.subspan(static_cast<size_t>(count));
    offset += count;
  }
}

void File::sync() {
  if (::fsync(descriptor_) != 0) broken("writing to the disk (fsync)");
}

}  // namespace graticule

#include "graticule/parallel/scratch_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <utility>

#include "graticule/core/error.h"
#include "graticule/core/ledger.h"

namespace graticule {

namespace {

// The system's text for an error number, with a small first letter, as it is inside a sentence.
std::string reason(int error) {
  std::string words = std::generic_category().message(error);
  if (!words.empty()) words[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(words[0])));
  return words;
}

}  // namespace

ScratchFile::ScratchFile(std::string folder, Words words)
    : folder_(std::move(folder)), words_(std::move(words)) {
  std::string name = folder_ + "/graticule-XXXXXX";
  descriptor_ = ::mkostemp(name.data(), O_CLOEXEC);
  if (descriptor_ < 0) {
    refuse(words_.where, words_.key, " = \"", folder_, "\": ", reason(errno),
           "; name a folder that exists and can be written");
  }
  ::unlink(name.c_str());
}

ScratchFile::ScratchFile(ScratchFile&& other) noexcept
    : folder_(std::move(other.folder_)),
      words_(std::move(other.words_)),
      descriptor_(std::exchange(other.descriptor_, -1)) {}

ScratchFile::~ScratchFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void ScratchFile::broken(int error, const std::string& when) const {
  fail(words_.where, folder_, ": ", reason(error), when, ": ", words_.way_out);
}

void ScratchFile::write_at(int64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::pwrite(descriptor_, bytes.data(), bytes.size(), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) broken(count < 0 ? errno : ENOSPC, " after " + gib(offset));
    bytes = bytes.subspan(static_cast<size_t>(count));
    offset += count;
  }
}

void ScratchFile::read_at(int64_t offset, std::span<std::byte> out) const {
  while (!out.empty()) {
    const ssize_t count = ::pread(descriptor_, out.data(), out.size(), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) broken(errno, text(" reading at ", gib(offset)));
    if (count == 0) broken(EIO, text(", the file ends at ", gib(offset), " before what was written"));
    out = out.subspan(static_cast<size_t>(count));
    offset += count;
  }
}

void ScratchFile::reserve(int64_t bytes, const std::string& wanted_for) {
  int error = EINTR;
  while (bytes > 0 && error == EINTR) error = ::posix_fallocate(descriptor_, 0, bytes);
  if (bytes > 0 && error != 0) broken(error, text(", ", gib(bytes), " needed for ", wanted_for));
}

}  // namespace graticule

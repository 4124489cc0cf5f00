#include "graticule/data/file_bytes.h"

#include <cpl_string.h>
#include <cpl_vsi.h>
#include <cpl_vsi_error.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "graticule/core/error.h"
#include "graticule/data/quiet_gdal.h"

namespace graticule {

namespace {

// Paths of GDAL's virtual file system.
bool is_virtual(const std::string& path) { return path.starts_with("/vsi"); }

[[noreturn]] void fail_short(const std::string& path, size_t wanted, size_t offset, size_t got) {
  fail("file", path, " ends early: wanted ", wanted, " bytes from ", offset, ", got ", got,
       ": copy it again");
}

[[noreturn]] void fail_gone(const std::string& path) {
  fail("file", path, " does not exist any more: it was there when the data were opened");
}

// ---- files of this machine, through the system: GDAL takes several calls to open one

std::optional<size_t> local_size(const std::string& path) {
  struct stat status = {};
  if (::stat(path.c_str(), &status) == 0) {
    if (S_ISREG(status.st_mode)) return static_cast<size_t>(status.st_size);
    refuse("file", path,
           S_ISDIR(status.st_mode) ? " is a folder where a file should be" : " is no regular file",
           ": name a file");
  }
  if (errno != ENOENT && errno != ENOTDIR) fail("file", path, " cannot be opened: ", std::strerror(errno));
  return std::nullopt;
}

class LocalFile {
 public:
  explicit LocalFile(const std::string& path)
      : path_(path), file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (file_ < 0 && errno == ENOENT) fail_gone(path);
    if (file_ < 0) fail("file", path, " cannot be opened: ", std::strerror(errno));
  }
  ~LocalFile() { ::close(file_); }
  LocalFile(const LocalFile&) = delete;
  LocalFile& operator=(const LocalFile&) = delete;

  void read(size_t offset, std::span<std::byte> out) const {
    size_t got = 0;
    while (got < out.size()) {
      const ssize_t more =
          ::pread(file_, out.data() + got, out.size() - got, static_cast<off_t>(offset + got));
      if (more < 0 && errno == EINTR) continue;
      if (more < 0) fail("file", path_, " cannot be read: ", std::strerror(errno));
      if (more == 0) fail_short(path_, out.size(), offset, got);
      got += static_cast<size_t>(more);
    }
  }

 private:
  const std::string& path_;
  int file_;
};

// ---- remote files, and members of archives, through GDAL

struct Close {
  void operator()(VSILFILE* file) const { VSIFCloseL(file); }
};
using File = std::unique_ptr<VSILFILE, Close>;

size_t size_of(VSILFILE* file) {
  VSIFSeekL(file, 0, SEEK_END);
  return VSIFTellL(file);
}

// Opens a file; null only when it surely does not exist. A network failure must never be taken for an absent
// chunk, whose values would be the fill value.
File open_remote(const std::string& path) {
  const QuietGdal quiet;
  VSIErrorReset();
  File file(VSIFOpenExL(path.c_str(), "rb", true));
  if (file) {
    // GDAL opens a remote name without a dot as an empty file if it is absent, and also if the network is
    // down.
    VSIStatBufL status;
    if (size_of(file.get()) == 0 && VSIStatL(path.c_str(), &status) != 0) {
      fail("file", path,
           " does not exist, or the network does not reach it: copy the data to this machine first");
    }
    return file;
  }
  const std::string message = VSIGetLastErrorMsg();
  // A local archive gives no error for a member that it does not contain.
  const bool network = path.starts_with("/vsicurl") || path.starts_with("/vsis3") ||
                       path.starts_with("/vsigs") || path.starts_with("/vsiaz") ||
                       path.starts_with("/vsiadls") || path.starts_with("/vsioss");
  const bool absent =
      network ? message.find("404") != std::string::npos || VSIGetLastErrorNo() == VSIE_AWSObjectNotFound
              : message.empty();
  if (!absent) fail("file", path, " cannot be opened: ", message);
  return nullptr;
}

void read_remote(VSILFILE* file, const std::string& path, size_t offset, std::span<std::byte> out) {
  const QuietGdal quiet;
  VSIFSeekL(file, offset, SEEK_SET);
  const size_t got = VSIFReadL(out.data(), 1, out.size(), file);
  if (got != out.size()) fail_short(path, out.size(), offset, got);
}

}  // namespace

std::optional<Bytes> read_file(const std::string& path) {
  if (is_virtual(path)) {
    const File file = open_remote(path);
    if (!file) return std::nullopt;
    Bytes bytes = Bytes::of_size(size_of(file.get()));
    read_remote(file.get(), path, 0, bytes.span());
    return bytes;
  }
  const std::optional<size_t> size = local_size(path);
  if (!size) return std::nullopt;
  Bytes bytes = Bytes::of_size(*size);
  LocalFile(path).read(0, bytes.span());
  return bytes;
}

std::optional<std::string> read_text(const std::string& path) {
  const std::optional<Bytes> bytes = read_file(path);
  if (!bytes) return std::nullopt;
  return std::string(reinterpret_cast<const char*>(bytes->data.get()), bytes->size);
}

std::optional<size_t> file_size(const std::string& path) {
  if (!is_virtual(path)) return local_size(path);
  const File file = open_remote(path);
  return file ? std::optional(size_of(file.get())) : std::nullopt;
}

void read_parts(const std::string& path, std::span<const FilePart> parts) {
  if (!is_virtual(path)) {
    const LocalFile file(path);
    for (const FilePart& part : parts) file.read(part.offset, part.out);
    return;
  }
  const File file = open_remote(path);
  if (!file) fail_gone(path);
  for (const FilePart& part : parts) read_remote(file.get(), path, part.offset, part.out);
}

void read_range(const std::string& path, size_t offset, std::span<std::byte> out) {
  const FilePart part{offset, out};
  read_parts(path, {&part, 1});
}

std::string gdal_path(const std::string& address) {
  for (const auto& [scheme, prefix] : {std::pair("gs://", "/vsigs/"), std::pair("s3://", "/vsis3/")}) {
    if (address.starts_with(scheme)) return prefix + address.substr(5);
  }
  if (address.starts_with("http://") || address.starts_with("https://")) return "/vsicurl/" + address;
  if (address.find("://") != std::string::npos) {
    refuse("source", "'", address,
           "' is of an unknown kind: known are gs://, s3://, http://, https:// and GDAL's /vsi... paths");
  }
  return address;
}

bool is_folder(const std::string& path) {
  VSIStatBufL status;
  return VSIStatL(path.c_str(), &status) == 0 && VSI_ISDIR(status.st_mode);
}

std::vector<std::string> names_in(const std::string& folder) {
  if (!folder.starts_with("/vsi") && ::access(folder.c_str(), R_OK) != 0)
    fail("file", folder, " cannot be read: ", std::strerror(errno));
  const QuietGdal quiet;
  const CPLStringList list(VSIReadDir(folder.c_str()));
  std::vector<std::string> names;
  for (int i = 0; i < list.size(); ++i) {
    const std::string name = list[i];
    if (name != "." && name != "..") names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace graticule

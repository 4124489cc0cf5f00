#include "graticule/data/file_bytes.h"

#include <cpl_string.h>
#include <cpl_vsi.h>
#include <cpl_vsi_error.h>

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "graticule/core/error.h"
#include "graticule/data/quiet_gdal.h"

namespace graticule {

namespace {

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
File open_file(const std::string& path) {
  const bool remote = path.starts_with("/vsi");
  struct stat local = {};
  if (!remote && ::stat(path.c_str(), &local) == 0 && !S_ISREG(local.st_mode))
    refuse("file", path,
           S_ISDIR(local.st_mode) ? " is a folder where a file should be" : " is no regular file",
           ": name a file");
  const QuietGdal quiet;
  VSIErrorReset();
  errno = 0;
  File file(VSIFOpenExL(path.c_str(), "rb", true));
  const int reason = errno;
  if (file) {
    // GDAL opens a remote name without a dot as an empty file if it is absent, and also if the network is
    // down.
    VSIStatBufL status;
    if (remote && size_of(file.get()) == 0 && VSIStatL(path.c_str(), &status) != 0) {
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
      !remote   ? reason == ENOENT || reason == ENOTDIR
      : network ? message.find("404") != std::string::npos || VSIGetLastErrorNo() == VSIE_AWSObjectNotFound
                : message.empty();
  if (!absent) fail("file", path, " cannot be opened: ", remote ? message : std::strerror(reason));
  return nullptr;
}

void read_at(VSILFILE* file, const std::string& path, size_t offset, std::span<std::byte> out) {
  VSIFSeekL(file, offset, SEEK_SET);
  const size_t got = VSIFReadL(out.data(), 1, out.size(), file);
  if (got != out.size()) {
    fail("file", path, " ends early: wanted ", out.size(), " bytes from ", offset, ", got ", got,
         ": copy it again");
  }
}

}  // namespace

std::optional<Bytes> read_file(const std::string& path) {
  const File file = open_file(path);
  if (!file) return std::nullopt;
  Bytes bytes = Bytes::of_size(size_of(file.get()));
  read_at(file.get(), path, 0, bytes.span());
  return bytes;
}

std::optional<std::string> read_text(const std::string& path) {
  const std::optional<Bytes> bytes = read_file(path);
  if (!bytes) return std::nullopt;
  return std::string(reinterpret_cast<const char*>(bytes->data.get()), bytes->size);
}

std::optional<size_t> file_size(const std::string& path) {
  const File file = open_file(path);
  if (!file) return std::nullopt;
  return size_of(file.get());
}

void read_range(const std::string& path, size_t offset, std::span<std::byte> out) {
  const File file = open_file(path);
  if (!file) fail("file", path, " does not exist any more: it was there when the data were opened");
  read_at(file.get(), path, offset, out);
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

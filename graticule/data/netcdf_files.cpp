#include "graticule/data/netcdf_files.h"

#include <hdf5.h>
#include <netcdf.h>
#include <netcdf_mem.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>

#include "graticule/core/error.h"
#include "graticule/data/hdf5_reason.h"

namespace graticule {

namespace {

// How many files to keep open. Three quarters of the limit are left for everything else in the process.
size_t most_open() {
  constexpr size_t enough = 200;
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return enough;
  return std::clamp<size_t>(limit.rlim_cur / 4, 1, enough);
}

[[noreturn]] void fail_to_open(int status, const std::string& path) {
  if (status == EMFILE || status == ENFILE) {
    fail("netcdf", path, " cannot be opened: too many open files; raise the limit (ulimit -n)");
  }
  if (status == NC_EHDFERR && path.starts_with("/vsi"))
    fail("netcdf", path,
         " cannot be opened: it is damaged or cut off, or written for newer libraries; open a copy on this "
         "machine, which tells the reason");
  if (status == NC_EHDFERR) fail_with_hdf5_reason(path);
  fail("netcdf", path, " cannot be opened: ", nc_strerror(status));
}

}  // namespace

void set_up_netcdf() {
  static const bool done = [] {
    H5dont_atexit();  // on a full disk, HDF5 would crash when it closes files again at exit
    // Turns HDF5's own cache of chunks off; ChunkCache keeps them.
    constexpr size_t slots = 1;
    constexpr float preemption = 1;
    return nc_set_chunk_cache(0, slots, preemption) == NC_NOERR;
  }();
  GRATICULE_CHECK(done, "the NetCDF library takes no cache of 0 bytes");
}

std::unique_lock<std::recursive_mutex> netcdf_alone() {
  static std::recursive_mutex mutex;
  std::unique_lock alone(mutex);
  // HDF5 prints every error that it meets, expected ones too, until each thread has said no for itself.
  thread_local const bool silent = H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr) >= 0;
  GRATICULE_CHECK(silent, "HDF5 keeps printing its errors");
  return alone;
}

NetcdfFiles::NetcdfFiles() : most_(most_open()) { set_up_netcdf(); }

// NOLINTNEXTLINE(bugprone-exception-escape): without the lock there is no safe way on.
NetcdfFiles::~NetcdfFiles() {
  const auto alone = netcdf_alone();
  for (const Opened& file : order_) nc_close(file.number);
}

int NetcdfFiles::open(const std::string& path) {
  if (const auto found = by_path_.find(path); found != by_path_.end()) {
    order_.splice(order_.begin(), order_, found->second);
    return found->second->number;
  }
  while (order_.size() >= most_) {
    nc_close(order_.back().number);
    by_path_.erase(order_.back().path);
    order_.pop_back();
  }
  int number = -1, status = NC_NOERR;
  if (path.starts_with("/vsi")) {
    Bytes& bytes = remote_[path];
    if (!bytes.data) {
      std::optional<Bytes> read = read_file(path);
      if (!read) refuse("netcdf", path, " does not exist");
      bytes = std::move(*read);
    }
    // A neutral name, because the library would take a path with :// for an address.
    status = nc_open_mem("remote.nc", NC_NOWRITE, bytes.size, bytes.data.get(), &number);
  } else {
    status = nc_open(path.c_str(), NC_NOWRITE, &number);
  }
  if (status != NC_NOERR) fail_to_open(status, path);
  order_.push_front({path, number});
  by_path_[path] = order_.begin();
  return number;
}

void require_netcdf(int status, const std::string& place, const char* done) {
  if (status != NC_NOERR) fail("netcdf", place, " cannot be ", done, ": ", nc_strerror(status));
}

}  // namespace graticule

// Opens NetCDF files and keeps at most 200 of them open (at most a quarter of the process's limit of open
// files), local or remote. One object serves all files of a data set.
#pragma once

#include <list>
#include <map>
#include <mutex>
#include <string>
#include <unordered_map>

#include "graticule/data/file_bytes.h"

namespace graticule {

/// Sets the NetCDF and HDF5 libraries up. Call it before the first file; further calls do nothing.
void set_up_netcdf();

/// A lock for the NetCDF library, which is not safe for several threads. Hold it during every call of the
/// library.
std::unique_lock<std::recursive_mutex> netcdf_alone();

class NetcdfFiles {
 public:
  NetcdfFiles();
  ~NetcdfFiles();  // NOLINT(bugprone-exception-escape): netcdf_files.cpp says why
  NetcdfFiles(const NetcdfFiles&) = delete;
  NetcdfFiles& operator=(const NetcdfFiles&) = delete;

  /// The library's number of the file `path`. Opens it if necessary; when too many files are open, closes the
  /// one used longest ago. A remote file is read into memory as a whole and stays there. Fails with the
  /// reason when it cannot be opened. The caller holds the lock of `netcdf_alone`.
  int open(const std::string& path);

 private:
  struct Opened {
    std::string path;
    int number;
  };
  size_t most_;
  std::list<Opened> order_;  ///< used last first
  std::unordered_map<std::string, std::list<Opened>::iterator> by_path_;
  std::map<std::string, Bytes> remote_;
};

/// Fails unless `status` is 0: "[netcdf] PLACE cannot be DONE: the library's reason".
void require_netcdf(int status, const std::string& place, const char* done);

}  // namespace graticule

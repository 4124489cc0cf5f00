// NetCDF files as the NetCDF library opens them, local or remote: of many thousands a few hundred stay open.
#pragma once

#include <list>
#include <map>
#include <mutex>
#include <string>
#include <unordered_map>

#include "graticule/data/file_bytes.h"

namespace graticule {

/// Before the library's first file, once a process: any number of calls.
void set_up_netcdf();

/// The NetCDF library serves one thread at a time: whoever calls it holds this.
std::unique_lock<std::recursive_mutex> netcdf_alone();

class NetcdfFiles {
 public:
  NetcdfFiles();
  ~NetcdfFiles();
  NetcdfFiles(const NetcdfFiles&) = delete;
  NetcdfFiles& operator=(const NetcdfFiles&) = delete;

  /// The library's number of an open file; opens it, and closes the one that was used longest ago where too
  /// many are open. A remote file is held in memory. Fails saying why it cannot be opened. The caller holds
  /// `netcdf_alone`.
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

/// Fails unless `status` is the library's 0: "[netcdf] PLACE cannot be DONE: the library's reason".
void require_netcdf(int status, const std::string& place, const char* done);

}  // namespace graticule

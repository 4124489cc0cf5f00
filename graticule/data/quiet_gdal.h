// Keeps GDAL from printing: while one lives, this thread's GDAL errors are only remembered.
#pragma once

#include <cpl_error.h>

#include <string>

namespace graticule {

class QuietGdal {
 public:
  QuietGdal() {
    CPLErrorReset();
    CPLPushErrorHandler(CPLQuietErrorHandler);
  }
  ~QuietGdal() { CPLPopErrorHandler(); }
  QuietGdal(const QuietGdal&) = delete;
  QuietGdal& operator=(const QuietGdal&) = delete;

  /// What GDAL said last, or "" when nothing went wrong.
  std::string last_error() const { return CPLGetLastErrorType() >= CE_Failure ? CPLGetLastErrorMsg() : ""; }
};

}  // namespace graticule

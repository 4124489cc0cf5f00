// Keeps GDAL from printing errors: while an object of this class exists, this thread's GDAL errors are only
// stored.
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

  /// The text of GDAL's last error, or "" when there was none.
  std::string last_error() const { return CPLGetLastErrorType() >= CE_Failure ? CPLGetLastErrorMsg() : ""; }
};

}  // namespace graticule

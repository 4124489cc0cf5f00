// Raster images through GDAL: GeoTIFF, COG, OME-TIFF, plain TIFF, PNG and JPEG.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "graticule/data/stored_array.h"

class GDALDataset;

namespace graticule {

/// Whether a name ends as one of these files.
bool is_raster_name(const std::string& name);

/// Keeps at most 100 files open, those used last. One object serves all files of a data set.
class RasterFiles {
 public:
  /// Opens a file, or a page of one as GDAL names it, if necessary. The caller holds lock() while it uses the result.
  /// Fails with GDAL's reason.
  GDALDataset& open(const std::string& name);
  std::unique_lock<std::mutex> lock() { return std::unique_lock(mutex_); }

 private:
  struct Close {
    void operator()(GDALDataset* dataset) const;
  };
  using Opened = std::pair<std::string, std::unique_ptr<GDALDataset, Close>>;
  std::mutex mutex_;
  std::list<Opened> order_;  ///< used last first
  std::map<std::string, std::list<Opened>::iterator> by_name_;
};

/// Opens a local file. Where all bands are described, each is an array under its description, otherwise all are one array
/// `name`; OME-TIFF has an array for each channel if it names them. The dimensions are page, band, t, channel and z (those
/// larger than 1), y and x. The value that a band declares as "no data" is missing. Bands of opacity are left out, with a note. Refuses bands of colour
/// indices and of complex numbers, and bands of different types; fails on a damaged file.
Dataset open_raster(const std::string& file, const std::string& name,
                    const std::shared_ptr<RasterFiles>& files);

}  // namespace graticule

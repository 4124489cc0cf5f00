// The OME-XML that an OME-TIFF file has as its description: it says which page is which plane
// (ome-model.readthedocs.io, "OME-TIFF specification").
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace graticule {

/// One plane of pixels: a band of a file, or of a page as GDAL names it.
struct RasterPlane {
  std::string name;
  int band = 1;
};

/// Planes, row-major over the dimensions before rows and columns.
struct RasterStack {
  std::vector<std::string> dimensions;
  std::vector<int64_t> shape;
  std::vector<RasterPlane> planes;
};

bool is_ome_tiff(const std::string& description);

/// The stacks of the first image by name: one for each channel if all have different names, else one without a name with the
/// dimension `channel`. Dimensions are t, channel and z, those larger than 1. `pages`: of the file, in order; each
/// has `bands` bands. Fails on OME-XML that does not fit them; refuses planes in other files.
std::vector<std::pair<std::string, RasterStack>> ome_stacks(const std::string& description,
                                                            const std::string& file,
                                                            const std::vector<std::string>& pages,
                                                            int64_t bands, std::vector<std::string>& notes);

}  // namespace graticule

// Opens a Zarr store: format 2 or 3, consolidated or not, a local folder or one that GDAL's virtual file
// system reaches.
#pragma once

#include <string>

#include "graticule/data/stored_array.h"

namespace graticule {

/// True when the folder holds .zgroup, .zmetadata, .zarray or zarr.json.
bool is_zarr(const std::string& folder);

Dataset open_zarr(const std::string& folder);

}  // namespace graticule

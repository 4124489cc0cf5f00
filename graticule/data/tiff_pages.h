// How the pages of a TIFF file follow each other, as ImageJ and tifffile say it in the description of the first page.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace graticule {

/// The dimensions that count the pages, outermost first: `t`, `z` and `channel`, those larger than 1; empty where the
/// description does not say. `sizes`: pages, bands, rows and columns of the file. Refuses a file whose description tells of
/// more planes than it has pages: both programs can write planes without a page of their own, which TIFF readers pass over.
std::vector<std::pair<std::string, int64_t>> page_dimensions(const std::string& description,
                                                             const std::string& file,
                                                             const std::vector<int64_t>& sizes);

}  // namespace graticule

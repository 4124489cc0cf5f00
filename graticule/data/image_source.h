// Makes one Source (source.h) of images: planes or volumes, as they lie in arrays of any file format. A reader of a
// format gives data sets of arrays (stored_array.h); this file finds out which dimension of an array is what, and
// puts files together. open_source calls it. docs/images.md has the rules for users.
//
// What a dimension is follows, in this order, from data.dimensions (ImageLayout), from its name (step, time, t;
// channel, channels, band, bands, c), and from its place: the last ones are rows and columns, on a volume layers,
// rows and columns; what is left are samples, or a sample and a step.
//
// Each channel is a variable. Arrays of one name in several data sets are one variable: each data set has some of
// its samples, or is one sample. All other arrays of the same size are variables too. An array without samples,
// beside others that have more than one, is constant.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "graticule/core/image_layout.h"
#include "graticule/data/chunk_cache.h"
#include "graticule/data/source.h"
#include "graticule/data/stored_array.h"

namespace graticule {

/// One opened file or store of images.
struct ImageFile {
  std::string name;  ///< of the sample, if the file holds one: the path below the folder that the user gave
  Dataset data;
};

/// `path`: as the user gave it, for messages. `channels`: names of the channels; empty: ARRAY_0, ARRAY_1, ...
/// `cache`: used by the arrays of `files`; its capacity is set here. Refuses images of different sizes, variables
/// with different numbers of samples, files without any image, and dimensions that do not fit the arrays.
std::unique_ptr<Source> make_image_source(const std::string& path, std::vector<ImageFile> files,
                                          const ImageLayout& layout, const std::vector<std::string>& channels,
                                          std::shared_ptr<ChunkCache> cache);

}  // namespace graticule

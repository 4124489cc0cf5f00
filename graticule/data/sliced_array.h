// A part of an array at fixed indices along some of its dimensions, as an array of its own: one component of a vector,
// one channel of an image.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "graticule/data/stored_array.h"

namespace graticule {

/// `fixed`: for each dimension of `whole` its index, or nothing for a dimension of the part. `header` says the name,
/// dimensions and attributes of the part; its type, shape and packing become those of `whole`. Fixed dimensions at the
/// end are read whole, because their values lie side by side.
std::unique_ptr<StoredArray> slice_of(std::shared_ptr<StoredArray> whole, ArrayHeader header,
                                      std::vector<std::optional<int64_t>> fixed);

}  // namespace graticule

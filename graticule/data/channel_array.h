// One variable of an array that holds all variables along one dimension, as an array of its own. channels.h
// and anemoi.h make them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "graticule/data/stored_array.h"

namespace graticule {

constexpr int64_t never_stored = -1;

/// The part of `whole` that begins at index `start[d]` of its dimension d. `whole` has the times along its
/// dimension 0; `times`: the stored index of each time of the part, or nothing for all as they are stored; at
/// `never_stored` all values are NaN (the numbers must be fp32 or fp64). `header`: of the part, without its
/// number of times. It has as many dimensions as `whole`, or one more: then the last dimension of `whole`
/// holds rows of header.shape.back() values.
std::unique_ptr<StoredArray> part_of(std::shared_ptr<StoredArray> whole, ArrayHeader header,
                                     std::vector<int64_t> start, std::optional<std::vector<int64_t>> times);

}  // namespace graticule

// What the filters of an array make of the marks of missing values. A writer replaces missing values by their mark
// first, then the filters change numbers: 1e20 in fp32 becomes 1.0002e20 with the 9 bits of bitround, -9999.9 of fp64
// becomes another number by way of fp32. The attributes keep the mark as it was, so xarray takes such values for
// numbers (findings/bitround_rounds_the_fill_value.sh).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "graticule/data/packing.h"
#include "graticule/data/zarr_metadata.h"

namespace graticule {

/// Adds to `packing` what reading gets for each mark of missing values that went through the filters among `codecs`
/// (given in the order of encoding) of an array of `type`. Returns the note for a mark that the filters cannot store,
/// because missing values then read as other numbers; `name` opens it.
std::optional<std::string> add_filtered_marks(Packing& packing, NumberType type,
                                              const std::vector<ByteCodec>& codecs, const std::string& name);

}  // namespace graticule

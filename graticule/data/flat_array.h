// An array whose numbers lie in one run of bytes in a file, row-major: reading takes the bytes asked for and nothing
// else. The readers of NumPy's files and of NIfTI make these.
#pragma once

#include <memory>
#include <string>

#include "graticule/data/stored_array.h"

namespace graticule {

/// `offset`: of the first number in `file`. `swapped`: the bytes of a number are in the order of other processors.
std::unique_ptr<StoredArray> open_flat_array(ArrayHeader header, std::string file, size_t offset,
                                             bool swapped);

}  // namespace graticule

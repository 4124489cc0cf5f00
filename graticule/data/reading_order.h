// Chooses the order in which a pass over many times reads, so that each chunk is decoded once. Statistics,
// climatology and `data info` read in this order.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graticule/data/source.h"

namespace graticule {

/// Groups `variables` by the array that stores them, in the order given. The variables of one group (levels
/// of one array) share chunks, so read them together at each time.
std::vector<std::vector<std::string>> by_array(const Source& source,
                                               const std::vector<std::string>& variables);

/// Cuts `rows` into blocks. Read one block over all times, then the next block. The result is one block with
/// all rows, unless chunks with many times and many rows do not fit into the memory kept for chunks.
std::vector<Span> row_blocks(const Source& source, const std::string& variable, Span rows);

}  // namespace graticule

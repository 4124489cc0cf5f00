// The order in which a pass over many times reads, so that each chunk is decoded once.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graticule/data/source.h"

namespace graticule {

/// Those of `variables` that lie in one array, levels, read together at each time, in the order given.
std::vector<std::vector<std::string>> by_array(const Source& source,
                                               const std::vector<std::string>& variables);

/// The part of `rows` to read at a time, over all times, before the next part: all of them, unless the chunks
/// that reach over them and over many times do not fit the memory kept for chunks.
std::vector<Span> row_blocks(const Source& source, const std::string& variable, Span rows);

}  // namespace graticule

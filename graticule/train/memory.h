// What this process takes of the machine's memory.
#pragma once

#include <cstdint>

namespace graticule {

/// The largest resident size since the process began (or since the last reset), bytes.
int64_t peak_memory_bytes();
/// Starts the mark anew at the present size; where the system does not allow it, nothing changes.
void reset_peak_memory();

}  // namespace graticule

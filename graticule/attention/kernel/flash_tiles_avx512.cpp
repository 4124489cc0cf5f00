// Compiled for AVX-512 F, DQ, BW and VL: only the table below may leave this file.
#include "graticule/attention/kernel/flash_isa_avx512.h"
#include "graticule/attention/kernel/flash_tile_backward.h"

namespace graticule {

extern const FlashTiles tiles_avx512;
const FlashTiles tiles_avx512 = tiles_of<Avx512>();

}  // namespace graticule

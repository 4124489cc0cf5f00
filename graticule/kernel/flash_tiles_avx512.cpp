// This file is compiled for AVX-512 F, DQ, BW and VL: only the tables below may be used outside it.
#include "graticule/kernel/flash_isa_avx512.h"
#include "graticule/kernel/flash_tile_backward.h"
#include "graticule/kernel/matrix_pack.h"

namespace graticule {

extern const FlashTiles tiles_avx512;
const FlashTiles tiles_avx512 = tiles_of<Avx512>();

extern const MatrixPacking packing_avx512;
const MatrixPacking packing_avx512 = matrix_packing_of<Avx512>();

}  // namespace graticule

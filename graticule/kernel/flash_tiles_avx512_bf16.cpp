// This file is compiled for AVX-512 with BF16.
#include "graticule/kernel/flash_isa_avx512_bf16.h"
#include "graticule/kernel/flash_tile_backward.h"

namespace graticule {

extern const FlashTiles tiles_avx512_bf16;
const FlashTiles tiles_avx512_bf16 = tiles_of<Avx512Bf16>();

}  // namespace graticule

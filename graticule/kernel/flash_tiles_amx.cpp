// This file is compiled for AVX-512 with BF16 and AMX.
#include "graticule/kernel/flash_amx_backward.h"
#include "graticule/kernel/flash_amx_forward.h"

namespace graticule {

extern const FlashTiles tiles_amx;
const FlashTiles tiles_amx = {.panel = amx_panel,
                              .block = Amx::block,
                              .pair = 2,
                              .multiple = side,
                              .group = most_queries,
                              .forward_scratch = amx_forward_scratch,
                              .write_scratch = write_scratch<Amx>,
                              .backward_scratch = amx_backward_scratch,
                              .accumulator_width = padded,
                              .pack_keys = pack_keys_amx,
                              .forward = amx_forward,
                              .prepare = amx_prepare,
                              .backward = amx_backward,
                              .write_rows = write_rows<Amx>,
                              .write_panel = write_panel<Amx>};

}  // namespace graticule

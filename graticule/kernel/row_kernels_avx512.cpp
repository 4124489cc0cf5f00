// This file is compiled for AVX-512 F, DQ, BW and VL: only the table below may be used outside it.
#include "graticule/kernel/row_loops.h"

namespace graticule {

extern const RowKernels rows_avx512;
const RowKernels rows_avx512 = kernels_of_this_file;

}  // namespace graticule

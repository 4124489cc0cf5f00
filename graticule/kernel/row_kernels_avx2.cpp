// This file is compiled for AVX2 with FMA: only the table below may be used outside it.
#include "graticule/kernel/row_loops.h"

namespace graticule {

extern const RowKernels rows_avx2;
const RowKernels rows_avx2 = kernels_of_this_file;

}  // namespace graticule

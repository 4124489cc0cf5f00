// This file is compiled for any processor: only the table below may be used outside it.
#include "graticule/kernel/row_loops.h"

namespace graticule {

extern const RowKernels rows_any;
const RowKernels rows_any = kernels_of_this_file;

}  // namespace graticule

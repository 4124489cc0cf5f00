// For processors that are not x86.
#include "graticule/kernel/flash_cpu.h"
#include "graticule/kernel/row_kernels.h"

namespace graticule {

extern const RowKernels rows_any;

const RowKernels& row_kernels(CpuLevel) { return rows_any; }

const RowKernels& row_kernels() { return rows_any; }

}  // namespace graticule

// Chooses the row kernels by the instruction sets of this x86 processor.
#include "graticule/kernel/flash_cpu.h"
#include "graticule/kernel/row_kernels.h"

namespace graticule {

extern const RowKernels rows_any, rows_avx2, rows_avx512;

const RowKernels& row_kernels(CpuLevel level) {
  if (level == CpuLevel::aten) return rows_any;
  return level == CpuLevel::avx2 ? rows_avx2 : rows_avx512;
}

const RowKernels& row_kernels() {
  static const RowKernels& best = row_kernels(cpu_level(at::kFloat));
  return best;
}

}  // namespace graticule

// For processors that are not x86: there are no tiles, so ATen's kernels run.
#include <ATen/core/Tensor.h>

#include "graticule/kernel/flash_cpu.h"
#include "graticule/kernel/matrix_blocks.h"
#include "graticule/kernel/product_choice.h"

namespace graticule {

CpuLevel cpu_level(at::ScalarType) { return CpuLevel::aten; }

bool cpu_runs(CpuLevel level) { return level == CpuLevel::aten; }

const FlashTiles* cpu_tiles(CpuLevel) { return nullptr; }

ProcessorKind processor_kind(at::ScalarType) { return {CpuLevel::aten, false, false}; }

const MatrixPacking* matrix_packing() { return nullptr; }

}  // namespace graticule

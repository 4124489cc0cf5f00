// A processor that is not x86: ATen's kernel.
#include <ATen/core/Tensor.h>

#include "graticule/kernel/flash_cpu.h"
#include "graticule/kernel/matrix_tiles.h"

namespace graticule {

CpuLevel cpu_level(at::ScalarType) { return CpuLevel::aten; }

bool cpu_runs(CpuLevel level) { return level == CpuLevel::aten; }

const FlashTiles* cpu_tiles(CpuLevel) { return nullptr; }

const MatrixTiles* matrix_tiles() { return nullptr; }

bool matrix_tiles_win(Element) { return false; }

}  // namespace graticule

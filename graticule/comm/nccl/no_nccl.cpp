#include "graticule/comm/nccl/nccl.h"
#include "graticule/core/error.h"

namespace graticule {

bool nccl_is_built_in() { return false; }

World nccl_world(const NcclPlace& place) {
  fail("launch", "MASTER_ADDR and WORLD_SIZE ask for ", place.size,
       " ranks over NCCL, but this LibTorch has none: build against a GPU LibTorch, or start with mpiexec "
       "and without them");
}

}  // namespace graticule

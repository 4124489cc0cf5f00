// Ranks as processes with one GPU each, over NCCL (RCCL on AMD) as LibTorch wraps it. Needs a LibTorch built
// for GPUs.
#pragma once

#include <string>

#include "graticule/comm/launch.h"

namespace graticule {

/// Where a rank stands and where all of them meet: rank 0 listens at address:port.
struct NcclPlace {
  int rank = 0, size = 1, local_rank = 0, local_size = 1;
  std::string address;
  int port = 0;
};

bool nccl_is_built_in();

/// Joins the job and makes GPU `local_rank` this thread's device. Groups take CPU tensors too and carry them
/// over the GPU. Fails when NCCL was not built in.
World nccl_world(const NcclPlace& place);

}  // namespace graticule

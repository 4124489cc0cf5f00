// A back end of comm: ranks are processes with one GPU each, over NCCL (RCCL on AMD) as LibTorch wraps it. It
// needs a LibTorch built for GPUs; without one, no_nccl.cpp takes its place.
#pragma once

#include <string>

#include "graticule/comm/launch.h"

namespace graticule {

/// A rank's numbers, and the address and port where rank 0 listens and all ranks meet.
struct NcclPlace {
  int rank = 0, size = 1, local_rank = 0, local_size = 1;
  std::string address;
  int port = 0;
};

/// Whether this program was built with NCCL.
bool nccl_is_built_in();

/// Joins the job and makes GPU `local_rank` the device of this thread. Its groups also take CPU tensors and
/// send them through the GPU. Collective. Fails when NCCL was not built in.
World nccl_world(const NcclPlace& place);

}  // namespace graticule

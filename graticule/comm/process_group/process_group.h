// A back end of comm: ranks are those of a process group that a PyTorch program has made (Gloo, NCCL, MPI). So
// schemes run in programs that torchrun started.
//
// Of the process group it uses point-to-point messages for CPU tensors, and the all-to-all of lists for
// others: every c10d back end has them for uneven sizes, and in NCCL the second is one grouped call. Gloo's
// own all-gather needs equal sizes and is slower. Groups that split() makes are views of the process group,
// without connections of their own.
//
// Over NCCL an operation of such a view is one of the whole process group, to which the others bring nothing.
// So all ranks of the process group must issue equal operations of their views at the same time, as ranks that
// run one scheme do.
#pragma once

#include <string>

#include <c10/core/DeviceType.h>

#include "graticule/comm/launch.h"

namespace graticule {

/// The ranks of the process group with this name, for tensors of `device`. Without a back end for them, and
/// where the one for a GPU is Gloo or MPI, tensors go through the host, or through the GPU of NCCL. Not
/// collective, and cheap. Its groups have all operations but all_reduce and barrier. A wait ends in an error
/// after the process group's own time-out.
World process_group_world(const std::string& name, c10::DeviceType device);

}  // namespace graticule

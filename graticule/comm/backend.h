// What a back end must implement. A back end is a folder of comm/ with two things: a c10d::Backend, which
// runs the operations of one group, and a function that makes a World (comm/launch.h), whose split() gives
// such groups. The shortest complete back end is comm/threads. All are tested by tests/comm/group_cases.h.
//
// Group (comm/group.h) calls getRank(), getSize() and these members of c10d::Backend, no others. Tensors are dense and are cut
// along dim 0. They are on the device of getBoundDeviceId(); without an id they are on any device. Each call
// starts without blocking and returns a c10d::Work. All ranks of the group make the same calls in the same
// order.
//
//   getBackendName()                        the name, for messages of c10d
//   alltoall_base(out, in, rows_from, rows_to)
//                                           sends rows_to[r] rows of `in` to rank r and receives rows_from[r]
//                                           rows from it, in rank order; sizes may be 0 and may differ
//   alltoall(out, in)                       sends in[r] to rank r and receives out[r] from it; out[r] that is
//                                           the same tensor as in[r] is not copied
//   _allgather_base(out, in)                joins the `in` of all ranks, of equal sizes, in `out`
//   allgather(out, in)                      the same of in[0], of any sizes; out[0][r] gets that of rank r;
//                                           all out[0][r] are views of one buffer
//   allreduce(values, options)              replaces values[0] by the sum, maximum or minimum over ranks;
//                                           fp32, fp64 or int64
//   broadcast(values, options)              copies values[0] of options.rootRank to every rank
//   send(values, rank, tag), recv(...)      sends values[0] to, or receives it from, one rank; a tag pairs a
//                                           send with its receive
//   barrier(options)                        is done when every rank has called it
//
// The Work: isCompleted() never blocks. wait() returns when the result is in the buffers. When a rank failed
// or is gone, wait() throws std::runtime_error, which names the operation and the group.
//
// The World: split() is collective. It gives each rank its Group with the members' world ranks (Watched), so
// that the watchdog can name the ranks that are missing. abort() ends every rank at once. An exception on one
// rank must make the waits of all other ranks fail: no rank may wait for ever.
#pragma once

#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/Work.hpp>

// What a back end must do. A back end is a folder of comm/ with two things: a c10d::Backend, which carries the
// operations of one group, and a function that makes a World (comm/launch.h) whose split() gives such groups.
// comm/threads is the shortest one that is complete. tests/comm/group_cases.h is the test of all of them.
//
// Group (comm/group.h) calls these members of c10d::Backend and no others. Tensors are dense, on the device of
// getBoundDeviceId() (no id: wherever they are), and cut along dim 0. Each call starts without blocking and
// gives a c10d::Work; all ranks of the group make the same calls in the same order. P ranks.
//
//   getBackendName()                        the name, for messages
//   alltoall_base(out, in, rows_from, rows_to)
//                                           rows_to[r] rows of `in` to rank r, rows_from[r] rows from it, in
//                                           rank order; sizes may be 0 and differ from rank to rank
//   alltoall(out, in)                       in[r] to rank r, its answer in out[r]; where out[r] is in[r]
//                                           nothing is copied
//   _allgather_base(out, in)                `in` of every rank, equal sizes, joined in `out`
//   allgather(out, in)                      in[0] of every rank, sizes may differ: rank r's in out[0][r], a
//                                           view of one buffer
//   allreduce(values, options)              values[0] becomes the sum, maximum or minimum over ranks; fp32, fp64
//                                           or int64
//   broadcast(values, options)              values[0] of options.rootRank on every rank
//   send(values, rank, tag), recv(...)      values[0] to or from one rank; a tag pairs a send with its receive
//   barrier(options)                        done when every rank has called it
//
// The Work: isCompleted() never blocks. wait() returns when the result is in the buffers, and throws
// std::runtime_error, naming the operation and the group, when a rank failed or went away.
//
// The World: split() is collective and gives each rank its Group with the members' world ranks (Watched), so
// that the watchdog can name who is missing. abort() ends every rank at once. An exception on one rank must
// make the waits of all others fail: nothing may hang.
#pragma once

#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/Work.hpp>

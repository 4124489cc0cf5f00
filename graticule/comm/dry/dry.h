// A back end of comm that sends nothing: one process runs the program as one rank of a world of any size.
// Every operation has the right shape and is counted. Zeros take the place of what other ranks would send. It
// works on meta tensors (tensors without memory), so a program runs as one of thousands of ranks without
// their memory. The planner's dry run uses it.
#pragma once

#include <functional>

#include "graticule/comm/launch.h"

namespace graticule {

/// An operation of a group as one of its ranks starts it.
struct DryExchange {
  enum class Kind { all_gather, all_to_all, all_reduce, broadcast, send, receive, barrier };
  Kind kind = Kind::barrier;
  /// Bytes. all_gather: those of each rank, by place in the group. all_to_all: those to each rank, itself
  /// included. all_reduce: those of the values cut by span. Message or broadcast: one entry. barrier: none.
  std::vector<int64_t> bytes;
  int peer = -1;  ///< place in the group: the root of a broadcast, the other side of a message
  int tag = 0;
};

/// Functions that are called when an exchange starts and when the program waits for it. Exchanges are
/// numbered from 0 in the order of their starts. `waited` is not called for an exchange that poll() found
/// done.
struct DryListener {
  std::function<void(const std::string& label, const std::vector<int>& members, DryExchange exchange)>
      started;
  std::function<void(int64_t number)> waited;
};

/// The World of rank `rank` of `size`, with `local_size` consecutive ranks on a node. Its abort() throws.
World dry_world(int rank, int size, int local_size = 1, const DryListener& listener = {});

}  // namespace graticule

// Any one rank of any world in one process: every operation has the right shape and is counted, and nothing
// is sent. What other ranks would send is zeros. Works on meta tensors, so a program runs as rank r of
// thousands without its memory.
#pragma once

#include <functional>

#include "graticule/comm/launch.h"

namespace graticule {

/// An operation of a group, as one of its ranks starts it.
struct DryExchange {
  enum class Kind { all_gather, all_to_all, all_reduce, broadcast, send, receive, barrier };
  Kind kind = Kind::barrier;
  /// all_gather: of each rank, by place in the group; all_to_all: to each rank, itself too; all_reduce: of
  /// the values cut by span; a message or broadcast: one entry; barrier: none.
  std::vector<int64_t> bytes;
  int peer = -1;  ///< broadcast: the root; send and receive: the other side. Place in the group
  int tag = 0;
};

/// Who wants to know when exchanges start and when the program waits for them. Exchanges are numbered from 0
/// in the order of their starts; one that the program found done by polling is never waited for.
struct DryListener {
  std::function<void(const std::string& label, const std::vector<int>& members, DryExchange exchange)>
      started;
  std::function<void(int64_t number)> waited;
};

/// Rank `rank` of `size`, with `local_size` consecutive ranks on a node.
World dry_world(int rank, int size, int local_size = 1, const DryListener& listener = {});

}  // namespace graticule

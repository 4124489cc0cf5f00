// The messages of one exchange of a group: who sends how many bytes to whom. They follow the algorithms of
// the libraries (MPI, NCCL): rings, pairwise messages, trees. The simulator (simulator_channel.h) sends them
// through its links.
//
// A *flow* is all bytes of an exchange from one device to another.
#pragma once

#include <vector>

#include "graticule/comm/dry/dry.h"
#include "graticule/plan/cluster.h"

namespace graticule {

/// The nodes below one switch, or in one group of a dragonfly; all of a flat network.
int64_t nodes_per_switch(const Cluster& cluster);

/// Inside a node a flow uses the links of the two devices. Between nodes it uses the interfaces of both
/// nodes.
struct Flow {
  int64_t from, to;  ///< devices, numbered node by node
  double bytes;
  double most;  ///< limit in bytes a second: the interfaces that belong to the sending device(s)
};

struct Flows {
  std::vector<Flow> flows;  ///< all at the same time
  double ahead = 0;         ///< seconds before them: latencies of the chain of messages, except one
};

/// The part of one member in an exchange.
struct FlowPart {
  const DryExchange* exchange;
  int traced_place;  ///< place of the rank whose trace has the exchange (world_traces.h)
};

/// The flows of one exchange among P members. `devices`: the members' devices, by place. `parts`: the
/// members' parts, by place, all of one kind. A send and its receive are one exchange with P = 2.
///
///   kind            flows                                                     messages in a chain
///   all_gather      ring: to the next place, all but the part of that place   P - 1
///   all_reduce      ring: to the next place, 2 (P - 1) / P of the values      2 log2 P, up and down a tree
///   all_to_all      from each member to each other                            1
///   broadcast       from place to place, beginning at the root                log2 P
///   barrier         none                                                      2 log2 P
///   send, receive   from place 0 to place 1                                   1
///
/// `fold` replaces flows that load the same links by fewer ones (docs/simulator.md):
/// - flows between the same two nodes become one flow
/// - inside a node the longest flow is simulated for all
/// - in an all-to-all among equal nodes a member sends the bytes for its own switch to the next node there,
///   and the bytes for all other switches to the node at its own index below the next switch
Flows flows_of(const std::vector<int64_t>& devices, const std::vector<FlowPart>& parts,
               const Cluster& cluster, bool fold);

}  // namespace graticule

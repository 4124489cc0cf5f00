// The messages of a group's exchange, as the library that carries it out sends them: rings, pairwise
// messages, trees. Sizes only.
#pragma once

#include <vector>

#include "graticule/comm/dry/dry.h"
#include "graticule/plan/cluster.h"

namespace graticule {

/// Bytes from one device to another. Devices of one node: over their own links; else over the interfaces of
/// the two nodes.
struct Flow {
  int64_t from, to;  ///< devices, numbered node by node
  double bytes;
  double most;  ///< bytes a second that the devices' own interfaces take
};

struct Flows {
  std::vector<Flow> flows;  ///< side by side
  double ahead = 0;         ///< seconds of the chain's messages besides the latency of one
};

/// A member's part of an exchange.
struct FlowPart {
  const DryExchange* exchange;
  int traced_place;  ///< whose place the exchange was traced at (world_traces.h)
};

/// `devices`: of the members, by place; `parts`: theirs, of one kind. A message has two parts, of the sender
/// and of the receiver.
///
///   all_gather      ring: to the next place all but what that one gave; P - 1 messages
///   all_reduce      the same loads as reducing and gathering by a ring, 2 (P-1)/P of the values; as a tree
///   up
///                   and down 2 log2 P messages
///   all_to_all      each to each at once; one message
///   broadcast       from place to place; log2 P messages
///   barrier         nothing; 2 log2 P messages
///   send, receive   one message
///
/// `fold` joins flows that load the same links: those between two nodes are one, of equal ones inside a node
/// one stands for all, and an all-to-all among equal nodes sends to the next node of its switch what is for
/// its switch, and to the same node of the next switch what is for the others (docs/simulator.md).
Flows flows_of(const std::vector<int64_t>& devices, const std::vector<FlowPart>& parts,
               const Cluster& cluster, bool fold);

}  // namespace graticule

// The exchanges of one group in the simulation. Only simulator*.cpp include this file, and only if SimGrid is
// built in. An *actor* is a thread of the simulation: one for each rank, and one for each channel that is
// sending.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "graticule/simulate/blocks.h"
#include "graticule/simulate/exchange_flows.h"
#include "graticule/simulate/simulator_platform.h"

namespace graticule {

/// One exchange, from the moment when its first member joins to its end.
struct Underway {
  std::vector<FlowPart> parts;  ///< by place
  int64_t joined = 0;           ///< number of members that have joined
  bool done = false;
  double began = 0, ended = 0;                       ///< when its messages begin and end
  std::vector<simgrid::s4u::SemaphorePtr> sleepers;  ///< of the ranks that wait for it

  /// Returns when the exchange is done. `wake`: a semaphore that only the calling rank uses.
  void wait(const simgrid::s4u::SemaphorePtr& wake);
};

/// Runs the exchanges of a group one after another, as a communicator's stream does. An exchange begins when
/// its last member has joined. Messages from one rank to another with one tag have a channel of two members.
/// Only the played members join (blocks.h); their messages to others arrive at the played devices.
class Channel {
 public:
  /// `devices`: those of the members, by place. `cluster` and `platform` must outlive the channel.
  Channel(std::vector<int64_t> devices, const Blocks& blocks, const Cluster& cluster,
          const Platform& platform, bool fold);

  /// The member at `place` joins its next exchange.
  std::shared_ptr<Underway> join(size_t place, const FlowPart& part);
  /// The number of flows so far.
  int64_t flows() const { return flows_; }

 private:
  void carry_all();
  void carry_out(Underway& exchange);
  /// Gives the members that are not played the parts of their images.
  void give_images(Underway& exchange) const;
  /// Returns when all flows have arrived.
  void send(const std::vector<Flow>& flows) const;

  std::vector<int64_t> devices_;
  Blocks blocks_;
  int64_t players_;  ///< number of members that are played
  const Cluster& cluster_;
  const Platform& platform_;
  bool fold_;
  std::deque<std::shared_ptr<Underway>> queue_;  ///< exchanges that are not done, in order
  std::vector<int64_t> joins_;                   ///< by place: number of exchanges that the member has joined
  int64_t done_ = 0, flows_ = 0;                 ///< numbers of exchanges and flows
  bool carrying_ = false;                        ///< the channel's actor exists
};

}  // namespace graticule

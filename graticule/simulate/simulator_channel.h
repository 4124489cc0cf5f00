// A group's exchanges in the simulation. Part of the simulator: included where SimGrid is built in.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "graticule/simulate/exchange_flows.h"
#include "graticule/simulate/simulator_platform.h"

namespace graticule {

/// An exchange from its first member's start to its end.
struct Underway {
  std::vector<FlowPart> parts;  ///< by place
  size_t joined = 0;
  bool done = false;
  double began = 0, ended = 0;  ///< its messages
  std::vector<simgrid::s4u::SemaphorePtr> sleepers;

  /// Returns when it is done; `wake` is the calling rank's own.
  void wait(const simgrid::s4u::SemaphorePtr& wake);
};

/// Carries out a group's exchanges one after another, each when its last member has started it, as a
/// communicator's stream does.
class Channel {
 public:
  /// `devices` by place. Cluster and platform must outlive it.
  Channel(std::vector<int64_t> devices, const Cluster& cluster, const Platform& platform, bool fold);

  /// The next exchange of the member at `place`.
  std::shared_ptr<Underway> join(size_t place, const FlowPart& part);
  int64_t flows() const { return flows_; }

 private:
  void carry_all();
  void carry_out(Underway& exchange);
  /// Returns when all has arrived.
  void send(const std::vector<Flow>& flows) const;

  std::vector<int64_t> devices_;
  const Cluster& cluster_;
  const Platform& platform_;
  bool fold_;
  std::deque<std::shared_ptr<Underway>> queue_;  ///< those not done
  std::vector<int64_t> joins_;                   ///< by place: exchanges started
  int64_t done_ = 0, flows_ = 0;
  bool carrying_ = false;
};

}  // namespace graticule

// A machine in numbers, as the planner sees it: what a device holds and computes, how fast links are. Read
// from TOML, where each number stands beside its public source (clusters/*.toml, docs/planner.md). Sizes
// only.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace graticule {

/// A rate as it was measured at some sizes, in rising order.
struct RatePoint {
  double size = 0, rate = 0;
};

/// The rate at `size`: between two points on the line through them over the logarithm of the size, outside
/// that of the nearest. `otherwise` where nothing was measured.
double rate_at(const std::vector<RatePoint>& points, double size, double otherwise);

/// Floating-point operations a second of one device (a multiply and an add are two).
struct Rates {
  double peak = 0;       ///< by the data sheet, dense matrices
  double linear = 0;     ///< sustained by large linear layers
  double attention = 0;  ///< sustained by fused attention, forward and backward together
  std::vector<RatePoint> linear_by_width = {};     ///< by the smallest of a product's three sizes
  std::vector<RatePoint> attention_by_width = {};  ///< by head width
};

/// What one device (or one network interface) sends in one direction.
struct Link {
  double bandwidth = 0;                    ///< bytes a second
  double latency = 0;                      ///< seconds a message, or a step of a collective
  std::vector<RatePoint> by_message = {};  ///< bytes a second by the bytes of a message
};

/// Every node reaches every other at the speed of its interfaces.
struct Flat {};

/// Nodes under switches, switches under a spine.
struct FatTree {
  int64_t nodes_per_switch = 0;
  double taper = 1;  ///< bandwidth towards the spine over that of the nodes below; 1: not blocking
};

/// Groups of routers; all routers of a group are linked, and so are all groups.
struct Dragonfly {
  int64_t groups = 0, routers_per_group = 0, nodes_per_router = 0;
  double local_link = 0;             ///< between two routers of a group, bytes a second and direction
  double global_link = 0;            ///< one link between two groups, the same
  int64_t links_between_groups = 0;  ///< of each pair
};

using Topology = std::variant<Flat, FatTree, Dragonfly>;

struct Cluster {
  std::string name;
  int64_t nodes = 0;  ///< at most
  int64_t devices_per_node = 0;
  bool gpu = false;             ///< a device is a GPU: plans are of a run with train.device = "cuda"
  double memory = 0;            ///< bytes of a device
  double memory_bandwidth = 0;  ///< bytes a second between a device and its memory
  double pointwise = 0;         ///< the same as point-wise work sustains it
  double block = 0;             ///< seconds that a block takes besides, forward or backward, however small
  double sharing = 1;           ///< ranks that take turns on what computes for one, as CPU ranks on a core
  double overlap = 1;           ///< of an exchange, what may go on beneath work
  double host = 0;  ///< bytes a second and direction to where activations are offloaded; 0: not known
  Rates bf16, fp32;
  Link within_node;  ///< of a device; one alone in its node has none
  Link interface;    ///< of one network interface; a cluster of one node has none
  int64_t interfaces_per_node = 0;
  Topology topology;

  /// What a device sends to other nodes when all devices of its node do, bytes a second.
  double share_of_interfaces() const {
    return interface.bandwidth * static_cast<double>(interfaces_per_node) /
           static_cast<double>(devices_per_node);
  }
};

/// Reads a cluster. `where` names the file in messages. Refuses an entry that is missing, unknown (naming the
/// nearest known one), of a wrong type or outside the range that real machines lie in, a sustained rate above
/// the peak, and a dragonfly too small for its nodes; each with key, file and line.
Cluster parse_cluster(const std::string& toml, const std::string& where);

/// A path ends in .toml. A name is looked for as clusters/NAME.toml below the current folder, then in the
/// source tree that the program was built from; an unknown one is refused with the list of known names.
Cluster cluster_named(const std::string& name_or_path);

}  // namespace graticule

// A cluster in numbers: memory and rates of a device, bandwidths and latencies of links. The planner and the
// simulator compute with it. It is read from a TOML file (clusters/*.toml), which names a public source for
// each number; docs/planner.md describes the keys.
//
// A *device* is the hardware of one rank: a GPU, or the cores of one CPU rank.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace graticule {

/// A rate that was measured at one size. Lists of points are in rising order of size.
struct RatePoint {
  double size = 0, rate = 0;
};

/// The rate at `size`: interpolated between the two neighbouring points, linearly in log(size). Outside the
/// points: the rate of the nearest. Without points: `otherwise`.
double rate_at(const std::vector<RatePoint>& points, double size, double otherwise);

/// Floating-point operations a second of one device (a multiply and an add are two).
struct Rates {
  double peak = 0;       ///< by the data sheet, dense matrices
  double linear = 0;     ///< sustained by large linear layers
  double attention = 0;  ///< sustained by fused attention, forward and backward together
  std::vector<RatePoint> linear_by_width = {};     ///< by the smallest of a product's three sizes
  std::vector<RatePoint> attention_by_width = {};  ///< by head width
};

/// The link of one device, or one network interface, in one direction.
struct Link {
  double bandwidth = 0;                    ///< bytes a second
  double latency = 0;                      ///< seconds for a message, or for a step of a collective
  std::vector<RatePoint> by_message = {};  ///< bytes a second by the bytes of a message
};

/// Every node reaches every other at the speed of its interfaces.
struct Flat {};

/// A tree of two levels: switches connect nodes, a spine connects the switches.
struct FatTree {
  int64_t nodes_per_switch = 0;
  double taper = 1;  ///< a switch's bandwidth to the spine / the bandwidth of its nodes; 1: non-blocking
};

/// Groups of routers. Every two routers of a group have a link, and so have every two groups.
struct Dragonfly {
  int64_t groups = 0, routers_per_group = 0, nodes_per_router = 0;
  double local_link = 0;             ///< between two routers of a group, bytes a second and direction
  double global_link = 0;            ///< one link between two groups, the same
  int64_t links_between_groups = 0;  ///< between each two groups
};

using Topology = std::variant<Flat, FatTree, Dragonfly>;

/// The file system of the whole machine, which its jobs share.
struct FileSystem {
  double read = 0, write = 0;  ///< bytes a second
};

struct Cluster {
  std::string name;
  int64_t nodes = 0;  ///< the largest number that a plan may use
  int64_t devices_per_node = 0;
  bool gpu = false;             ///< a device is a GPU: plans are for train.device = "cuda"
  double memory = 0;            ///< bytes of a device
  double memory_bandwidth = 0;  ///< bytes a second between a device and its memory
  double pointwise = 0;         ///< bytes a second that point-wise work sustains
  double block = 0;             ///< fixed seconds for each forward or backward of a block, besides its work
  double sharing = 1;           ///< ranks that take turns on one processor; 1: each rank has its own
  double overlap = 1;           ///< share of an exchange that can run while the rank computes
  double host = 0;              ///< bytes a second and direction to offloaded activations; 0: not known
  Rates bf16, fp32;
  Link within_node;  ///< of one device; unused where a node has one device
  Link interface;    ///< one network interface; unused where the cluster has one node
  int64_t interfaces_per_node = 0;
  Topology topology;
  std::optional<FileSystem> file_system;  ///< absent: not known

  /// Bytes a second that each device of a node sends to other nodes when all of them send.
  double share_of_interfaces() const {
    return interface.bandwidth * static_cast<double>(interfaces_per_node) /
           static_cast<double>(devices_per_node);
  }
};

/// Reads the text of a cluster file. `where` names the file in messages. Refuses (std::invalid_argument, with
/// key, file and line): a missing key, an unknown key (names the nearest known one), a wrong type, a number
/// outside the range of real machines, a sustained rate above the peak, a dragonfly too small for its nodes.
Cluster parse_cluster(const std::string& toml, const std::string& where);

/// An argument that ends in .toml is a path. Any other is a NAME: the file is clusters/NAME.toml in the
/// current folder, else in the source tree that the program was built from. Refuses a file that cannot be
/// read, and an unknown name, with the list of known names.
Cluster cluster_named(const std::string& name_or_path);

}  // namespace graticule

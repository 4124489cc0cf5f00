#include "graticule/simulate/simulator_platform.h"

#include <algorithm>
#include <string>

namespace graticule {

namespace s4u = simgrid::s4u;

namespace {

/// The two links of a member of a star: one out of it, one into it.
struct Pipe {
  double bandwidth, latency;
};

void connect(s4u::NetZone* star, simgrid::kernel::routing::NetPoint* member,
             simgrid::kernel::routing::NetPoint* gateway, const std::string& name, const Pipe& pipe) {
  auto* out = star->create_link(name + " out", pipe.bandwidth)->set_latency(pipe.latency)->seal();
  auto* in = star->create_link(name + " in", pipe.bandwidth)->seal();
  star->add_route(member, nullptr, gateway, nullptr, {s4u::LinkInRoute(out)}, false);
  star->add_route(nullptr, member, nullptr, gateway, {s4u::LinkInRoute(in)}, false);
}

s4u::Host* host_in(s4u::NetZone* star, const std::string& name, const Pipe& pipe) {
  auto* host = star->create_host(name, 1e9)->seal();
  connect(star, host->get_netpoint(), nullptr, name, pipe);
  return host;
}

/// The link that joins the nodes of a switch, or of a dragonfly's group, to the other nodes. Adaptive routing
/// uses all links out of a group for any destination, so they are one link here.
struct Uplink {
  int64_t nodes;     ///< below the link
  double bandwidth;  ///< bytes a second; 0: no limit
};

Uplink uplink_of(const Cluster& cluster) {
  const double node = cluster.interface.bandwidth * static_cast<double>(cluster.interfaces_per_node);
  if (const auto* tree = std::get_if<FatTree>(&cluster.topology)) {
    return {tree->nodes_per_switch, static_cast<double>(tree->nodes_per_switch) * node * tree->taper};
  }
  if (const auto* fly = std::get_if<Dragonfly>(&cluster.topology)) {
    return {fly->routers_per_group * fly->nodes_per_router,
            fly->global_link * static_cast<double>(fly->links_between_groups * (fly->groups - 1))};
  }
  return {cluster.nodes, 0};
}

}  // namespace

Platform make_platform(const Cluster& cluster, int64_t ranks, double other_jobs) {
  Platform platform;
  auto* root = s4u::create_star_zone("machine");
  auto* inside = s4u::create_star_zone("devices")->set_parent(root);
  for (int64_t device = 0; device < ranks; ++device) {
    platform.devices.push_back(host_in(inside, "device " + std::to_string(device),
                                       {cluster.within_node.bandwidth, cluster.within_node.latency}));
  }
  inside->seal();
  const Uplink uplink = uplink_of(cluster);
  const int64_t nodes = (ranks + cluster.devices_per_node - 1) / cluster.devices_per_node;
  const double interfaces = cluster.interface.bandwidth * static_cast<double>(cluster.interfaces_per_node);
  auto* network = s4u::create_star_zone("network")->set_parent(root);
  for (int64_t first = 0; first < nodes; first += uplink.nodes) {
    const std::string name = "switch " + std::to_string(first / uplink.nodes);
    auto* below = s4u::create_star_zone(name)->set_parent(network);
    auto* gateway = below->create_router(name + " router");
    below->add_route(gateway, nullptr, nullptr, nullptr, {}, false);
    below->add_route(nullptr, gateway, nullptr, nullptr, {}, false);
    for (int64_t node = first; node < std::min(first + uplink.nodes, nodes); ++node) {
      platform.nodes.push_back(
          host_in(below, "node " + std::to_string(node), {interfaces, cluster.interface.latency}));
    }
    below->seal();
    const double left = uplink.bandwidth * (1 - other_jobs);
    if (left > 0) connect(network, below->get_netpoint(), gateway, name, {left, 0});
  }
  network->seal();
  root->seal();
  return platform;
}

}  // namespace graticule

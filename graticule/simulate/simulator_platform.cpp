#include "graticule/simulate/simulator_platform.h"

#include <map>
#include <string>

#include "graticule/simulate/exchange_flows.h"

namespace graticule {

namespace s4u = simgrid::s4u;

namespace {

using NetPoint = simgrid::kernel::routing::NetPoint;

/// The links out of and into a member of a star; null: no limit.
struct Links {
  const s4u::Link *out = nullptr, *in = nullptr;
};

Links links_in(s4u::NetZone* star, const std::string& name, double bandwidth, double latency) {
  return {star->create_link(name + " out", bandwidth)->set_latency(latency)->seal(),
          star->create_link(name + " in", bandwidth)->seal()};
}

void connect(s4u::NetZone* star, NetPoint* member, NetPoint* gateway, const Links& links) {
  const auto route = [](const s4u::Link* link) {
    return link ? std::vector{s4u::LinkInRoute(link)} : std::vector<s4u::LinkInRoute>();
  };
  star->add_route(member, nullptr, gateway, nullptr, route(links.out), false);
  star->add_route(nullptr, member, nullptr, gateway, route(links.in), false);
}

s4u::Host* host_in(s4u::NetZone* star, const std::string& name, const Links& links) {
  auto* host = star->create_host(name, 1e9)->seal();
  connect(star, host->get_netpoint(), nullptr, links);
  return host;
}

/// Makes a star of nodes with the links `links`, as a member of `network` with the links `uplinks`.
std::vector<s4u::Host*> star_of(s4u::NetZone* network, const std::string& name,
                                const std::vector<Links>& links, const Links& uplinks) {
  auto* star = s4u::create_star_zone(name)->set_parent(network);
  auto* gateway = star->create_router(name + " router");
  connect(star, gateway, nullptr, {});
  std::vector<s4u::Host*> hosts;
  for (size_t node = 0; node < links.size(); ++node)
    hosts.push_back(host_in(star, name + " node " + std::to_string(node), links[node]));
  star->seal();
  connect(network, star->get_netpoint(), gateway, uplinks);
  return hosts;
}

/// Bytes a second between the nodes of a switch, or of a dragonfly's group, and all others; 0: no limit. Adaptive
/// routing uses all links out of a group for any destination, so they are one link here.
double uplink_of(const Cluster& cluster) {
  if (const auto* tree = std::get_if<FatTree>(&cluster.topology)) {
    return static_cast<double>(tree->nodes_per_switch * cluster.interfaces_per_node) *
           cluster.interface.bandwidth * tree->taper;
  }
  if (const auto* fly = std::get_if<Dragonfly>(&cluster.topology))
    return fly->global_link * static_cast<double>(fly->links_between_groups * (fly->groups - 1));
  return 0;
}

// The nodes of one switch that have played ranks, and their images.
void add_switch(Platform& platform, s4u::NetZone* network, const std::string& name,
                const std::vector<size_t>& nodes, const Cluster& cluster, double uplink, bool images) {
  const double interfaces = cluster.interface.bandwidth * static_cast<double>(cluster.interfaces_per_node);
  std::vector<Links> links;
  links.reserve(nodes.size());
  for (const size_t node : nodes)
    links.push_back(links_in(network, "node " + std::to_string(node), interfaces, cluster.interface.latency));
  const Links uplinks = uplink > 0 ? links_in(network, name, uplink, 0) : Links{};
  const auto place = [&](std::vector<s4u::Host*>& all, const std::string& star) {
    const auto hosts = star_of(network, star, links, uplinks);
    for (size_t i = 0; i < nodes.size(); ++i) all[nodes[i]] = hosts[i];
  };
  place(platform.nodes, name);
  if (images) place(platform.images, name + " images");
}

}  // namespace

Platform make_platform(const Cluster& cluster, int64_t ranks, const Blocks& blocks, double other_jobs) {
  const int64_t a_node = cluster.devices_per_node, nodes = (ranks + a_node - 1) / a_node;
  Platform platform;
  platform.devices.resize(static_cast<size_t>(ranks));
  platform.nodes.resize(static_cast<size_t>(nodes)), platform.images.resize(static_cast<size_t>(nodes));
  auto* root = s4u::create_star_zone("machine");
  auto* inside = s4u::create_star_zone("devices")->set_parent(root);
  std::map<int64_t, std::vector<size_t>> switches;  // the nodes with played ranks
  for (int64_t device = 0; device < ranks; ++device) {
    if (!blocks.plays(device)) continue;
    const std::string name = "device " + std::to_string(device);
    platform.devices[static_cast<size_t>(device)] = host_in(
        inside, name, links_in(inside, name, cluster.within_node.bandwidth, cluster.within_node.latency));
    auto& below = switches[device / a_node / nodes_per_switch(cluster)];
    const auto node = static_cast<size_t>(device / a_node);
    if (below.empty() || below.back() != node) below.push_back(node);
  }
  inside->seal();
  auto* network = s4u::create_star_zone("network")->set_parent(root);
  const double uplink = nodes > nodes_per_switch(cluster) ? uplink_of(cluster) * (1 - other_jobs) : 0;
  for (const auto& [number, below] : switches)
    add_switch(platform, network, "switch " + std::to_string(number), below, cluster, uplink,
               blocks.block < blocks.stage);
  network->seal();
  root->seal();
  return platform;
}

}  // namespace graticule

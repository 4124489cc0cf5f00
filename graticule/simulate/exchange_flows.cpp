// Legend: P members of the group. A node has an index among the nodes that have members.
#include "graticule/simulate/exchange_flows.h"

#include <algorithm>
#include <bit>
#include <map>
#include <numeric>

#include "graticule/core/error.h"
#include "graticule/dry/world_traces.h"

namespace graticule {

namespace {

using Kind = DryExchange::Kind;
using Bytes = std::vector<int64_t>;

int64_t sum_of(const Bytes& bytes) { return std::accumulate(bytes.begin(), bytes.end(), int64_t{0}); }

struct Exchanged {
  const std::vector<int64_t>& devices;
  const std::vector<FlowPart>& parts;
  const Cluster& cluster;

  size_t size() const { return devices.size(); }
  size_t next(size_t place) const { return (place + 1) % size(); }
  int64_t node(size_t place) const { return devices[place] / cluster.devices_per_node; }
  const Bytes& bytes(size_t place) const { return parts[place].exchange->bytes; }
  /// Bytes a second that one device can send to other nodes: over its own interfaces, at least one.
  double most() const {
    const double own =
        static_cast<double>(cluster.interfaces_per_node) / static_cast<double>(cluster.devices_per_node);
    return cluster.interface.bandwidth * std::max(1.0, own);
  }
};

// The members of each node, and the nodes of each switch.
struct Nodes {
  std::vector<size_t> of_place;               ///< by place: index of its node
  std::vector<std::vector<size_t>> places;    ///< by node: its members
  std::vector<size_t> switch_of;              ///< by node
  std::vector<std::vector<size_t>> switches;  ///< by switch: its nodes
};

Nodes nodes_of(const Exchanged& all) {
  Nodes nodes;
  std::map<int64_t, size_t> index, switch_index;
  for (size_t place = 0; place < all.size(); ++place) {
    const int64_t node = all.node(place);
    const auto [found, fresh] = index.try_emplace(node, index.size());
    if (fresh) {
      const int64_t above = node / nodes_per_switch(all.cluster);
      const auto [at, fresh_switch] = switch_index.try_emplace(above, switch_index.size());
      if (fresh_switch) nodes.switches.emplace_back();
      nodes.switches[at->second].push_back(found->second);
      nodes.switch_of.push_back(at->second), nodes.places.emplace_back();
    }
    nodes.of_place.push_back(found->second);
    nodes.places[found->second].push_back(place);
  }
  return nodes;
}

template <class Lists>
bool equally_long(const Lists& lists) {
  return std::all_of(lists.begin(), lists.end(),
                     [&](const auto& list) { return list.size() == lists.front().size(); });
}

/// The flows of a ring. Each may use the interfaces of all members of its node.
std::vector<Flow> ring(const Exchanged& all, const std::function<double(size_t)>& bytes) {
  const Nodes nodes = nodes_of(all);
  std::vector<Flow> flows;
  for (size_t place = 0; place < all.size(); ++place) {
    const auto beside = static_cast<double>(nodes.places[nodes.of_place[place]].size());
    flows.push_back({all.devices[place], all.devices[all.next(place)], bytes(place), beside * all.most()});
  }
  return flows;
}

std::vector<Flow> each_to_each(const Exchanged& all) {
  std::vector<Flow> flows;
  for (size_t from = 0; from < all.size(); ++from) {
    const Bytes bytes =
        bytes_to_each(*all.parts[from].exchange, all.parts[from].traced_place, static_cast<int>(from));
    for (size_t to = 0; to < all.size(); ++to) {
      if (to != from && bytes[to] > 0) {
        flows.push_back({all.devices[from], all.devices[to], static_cast<double>(bytes[to]), all.most()});
      }
    }
  }
  return flows;
}

// Replaces the flows of a device inside its node by one flow.
std::vector<Flow> joined_inside(const Exchanged& all, std::vector<Flow> flows) {
  const int64_t devices = all.cluster.devices_per_node;
  std::map<int64_t, Flow> inside;
  std::erase_if(flows, [&](const Flow& flow) {
    if (flow.from / devices != flow.to / devices) return false;
    const auto [found, fresh] = inside.try_emplace(flow.from, flow);
    if (!fresh) found->second.bytes += flow.bytes;
    return true;
  });
  for (const auto& [from, flow] : inside) flows.push_back(flow);
  return flows;
}

// Replaces the flows between two nodes by one. Inside a node each device has its own links, so only the
// longest flow is kept.
std::vector<Flow> joined(const Exchanged& all, const std::vector<Flow>& flows) {
  const int64_t devices = all.cluster.devices_per_node;
  std::map<std::pair<int64_t, int64_t>, Flow> by_nodes;
  for (const Flow& flow : flows) {
    const std::pair nodes(flow.from / devices, flow.to / devices);
    const auto [found, fresh] = by_nodes.try_emplace(nodes, flow);
    if (fresh) continue;
    Flow& sum = found->second;
    if (nodes.first == nodes.second) {
      sum.bytes = std::max(sum.bytes, flow.bytes);
    } else {
      sum.bytes += flow.bytes, sum.most += flow.most;
    }
  }
  std::vector<Flow> result;
  result.reserve(by_nodes.size());
  for (const auto& [nodes, flow] : by_nodes) result.push_back(flow);
  return result;
}

/// The bytes that one member sends in an all-to-all, by destination.
struct Destinations {
  std::vector<double> nodes, switches;
  double all = 0;
};

Destinations destinations_of(const Bytes& bytes, const Nodes& nodes) {
  Destinations to{std::vector<double>(nodes.places.size()), std::vector<double>(nodes.switches.size())};
  for (size_t place = 0; place < bytes.size(); ++place) {
    const auto count = static_cast<double>(bytes[place]);
    const size_t node = nodes.of_place[place];
    to.nodes[node] += count, to.switches[nodes.switch_of[node]] += count, to.all += count;
  }
  return to;
}

// Whether regular_all_to_all loads all links as the full all-to-all does: nodes have equally many members,
// switches have equally many nodes, and each member sends to all.
bool is_regular(const Exchanged& all, const Nodes& nodes) {
  const auto sends_to_all = [](const FlowPart& part) {
    return std::count(part.exchange->bytes.begin(), part.exchange->bytes.end(), 0) <= 1;
  };
  return nodes.places.size() > 2 && equally_long(nodes.places) && equally_long(nodes.switches) &&
         std::all_of(all.parts.begin(), all.parts.end(), sends_to_all);
}

// An all-to-all in at most three flows a member: inside the node, to the next node of the switch, to the next
// switch.
std::vector<Flow> regular_all_to_all(const Exchanged& all, const Nodes& nodes) {
  std::map<const DryExchange*, Destinations> known;
  std::vector<Flow> flows;
  const auto send = [&](size_t from, size_t to_node, double bytes) {
    if (bytes > 0)
      flows.push_back({all.devices[from], all.devices[nodes.places[to_node].front()], bytes, all.most()});
  };
  for (size_t place = 0; place < all.size(); ++place) {
    const auto* exchange = all.parts[place].exchange;
    const auto [found, fresh] = known.try_emplace(exchange);
    if (fresh) found->second = destinations_of(exchange->bytes, nodes);
    const Destinations& to = found->second;
    const size_t node = nodes.of_place[place], above = nodes.switch_of[node];
    const auto& mine = nodes.switches[above];
    const auto index = static_cast<size_t>(std::find(mine.begin(), mine.end(), node) - mine.begin());
    const double inside = to.nodes[node] - static_cast<double>(exchange->bytes[place]);
    const auto& beside = nodes.places[node];
    if (beside.size() > 1) {
      const auto at = static_cast<size_t>(std::find(beside.begin(), beside.end(), place) - beside.begin());
      flows.push_back(
          {all.devices[place], all.devices[beside[(at + 1) % beside.size()]], inside, all.most()});
    }
    send(place, mine[(index + 1) % mine.size()], to.switches[above] - to.nodes[node]);
    send(place, nodes.switches[(above + 1) % nodes.switches.size()][index], to.all - to.switches[above]);
  }
  return flows;
}

std::vector<Flow> all_to_all(const Exchanged& all, bool fold) {
  if (!fold) return each_to_each(all);
  const Nodes nodes = nodes_of(all);
  if (is_regular(all, nodes)) return regular_all_to_all(all, nodes);
  return joined_inside(all, each_to_each(all));
}

struct Messages {
  std::vector<Flow> flows;
  int64_t messages;  ///< that follow one another
};

Messages pattern_of(const Exchanged& all, bool fold) {
  const auto P = static_cast<int64_t>(all.size());
  const int64_t levels = std::bit_width(static_cast<uint64_t>(P - 1));
  switch (all.parts[0].exchange->kind) {
    case Kind::all_gather: {
      const Bytes& given = all.bytes(0);
      const int64_t sum = sum_of(given);
      return {ring(all, [&](size_t place) { return static_cast<double>(sum - given[all.next(place)]); }),
              P - 1};
    }
    case Kind::all_reduce: {
      const double load = 2.0 * static_cast<double>(sum_of(all.bytes(0)) * (P - 1)) / static_cast<double>(P);
      return {ring(all, [&](size_t) { return load; }), 2 * levels};
    }
    case Kind::all_to_all:
      return {all_to_all(all, fold), 1};
    case Kind::broadcast: {
      auto flows = ring(all, [&](size_t) { return static_cast<double>(all.bytes(0)[0]); });
      const auto last = (static_cast<size_t>(all.parts[0].exchange->peer) + all.size() - 1) % all.size();
      flows.erase(flows.begin() + static_cast<int64_t>(last));
      return {flows, levels};
    }
    case Kind::send:
    case Kind::receive:
      return {{{all.devices[0], all.devices[1], static_cast<double>(all.bytes(0)[0]), all.most()}}, 1};
    case Kind::barrier:
      return {{}, 2 * levels};
  }
  GRATICULE_CHECK(false, "exchange ", static_cast<int>(all.parts[0].exchange->kind));
}

}  // namespace

int64_t nodes_per_switch(const Cluster& cluster) {
  if (const auto* tree = std::get_if<FatTree>(&cluster.topology)) return tree->nodes_per_switch;
  if (const auto* fly = std::get_if<Dragonfly>(&cluster.topology))
    return fly->routers_per_group * fly->nodes_per_router;
  return cluster.nodes;
}

Flows flows_of(const std::vector<int64_t>& devices, const std::vector<FlowPart>& parts,
               const Cluster& cluster, bool fold) {
  const Exchanged all{devices, parts, cluster};
  auto [flows, messages] = pattern_of(all, fold);
  const bool is_barrier = parts[0].exchange->kind == Kind::barrier;
  std::erase_if(flows, [](const Flow& flow) { return flow.bytes == 0; });
  if (flows.empty() && !is_barrier) return {};
  const bool across = std::any_of(devices.begin(), devices.end(), [&](int64_t device) {
    return device / cluster.devices_per_node != devices[0] / cluster.devices_per_node;
  });
  const double latency = across ? cluster.interface.latency : cluster.within_node.latency;
  if (fold) flows = joined(all, flows);
  return {std::move(flows), static_cast<double>(messages - (is_barrier ? 0 : 1)) * latency};
}

}  // namespace graticule

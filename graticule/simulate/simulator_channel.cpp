#include "graticule/simulate/simulator_channel.h"

#include <algorithm>
#include <utility>

namespace graticule {

namespace s4u = simgrid::s4u;

void Underway::wait(const s4u::SemaphorePtr& wake) {
  if (done) return;
  sleepers.push_back(wake);
  wake->acquire();
}

Channel::Channel(std::vector<int64_t> devices, const Blocks& blocks, const Cluster& cluster,
                 const Platform& platform, bool fold)
    : devices_(std::move(devices)),
      blocks_(blocks),
      players_(
          std::count_if(devices_.begin(), devices_.end(), [&](int64_t rank) { return blocks.plays(rank); })),
      cluster_(cluster),
      platform_(platform),
      fold_(fold),
      joins_(devices_.size(), 0) {}

std::shared_ptr<Underway> Channel::join(size_t place, const FlowPart& part) {
  const auto number = static_cast<size_t>(joins_[place]++ - done_);
  while (queue_.size() <= number) {
    queue_.push_back(std::make_shared<Underway>());
    queue_.back()->parts.resize(devices_.size());
  }
  auto exchange = queue_[number];
  exchange->parts[place] = part;
  if (++exchange->joined == players_ && !carrying_ && number == 0) {
    carrying_ = true;
    s4u::Actor::create("exchange", platform_.nodes.front(), [this] { carry_all(); });
  }
  return exchange;
}

void Channel::carry_all() {
  while (!queue_.empty() && queue_.front()->joined == players_) {
    const auto exchange = queue_.front();
    carry_out(*exchange);
    queue_.pop_front(), ++done_;
  }
  carrying_ = false;
}

void Channel::send(const std::vector<Flow>& flows) const {
  std::vector<s4u::CommPtr> messages;
  for (const Flow& flow : flows) {
    const auto from = static_cast<size_t>(flow.from), to = static_cast<size_t>(flow.to);
    const auto a_node = static_cast<size_t>(cluster_.devices_per_node);
    const bool inside = from / a_node == to / a_node;
    const auto image = static_cast<size_t>(blocks_.image(flow.to)) / a_node;
    const auto* nodes = blocks_.plays(flow.to) ? &platform_.nodes : &platform_.images;
    // Setting both ends starts the message, so this comes last.
    const auto message = s4u::Comm::sendto_init();
    if (!inside) message->set_rate(flow.most);
    message->set_payload_size(static_cast<uint64_t>(flow.bytes));
    message->set_source(inside ? platform_.devices[from] : platform_.nodes[from / a_node]);
    message->set_destination(inside ? platform_.devices[to] : (*nodes)[image]);
    messages.push_back(message);
  }
  for (const auto& message : messages) message->wait();
}

// A group's members are in the order of their ranks.
void Channel::give_images(Underway& exchange) const {
  for (size_t place = 0; place < devices_.size(); ++place) {
    const auto image = std::lower_bound(devices_.begin(), devices_.end(), blocks_.image(devices_[place]));
    exchange.parts[place] = exchange.parts[static_cast<size_t>(image - devices_.begin())];
  }
}

void Channel::carry_out(Underway& exchange) {
  exchange.began = s4u::Engine::get_clock();
  if (players_ < std::ssize(devices_)) give_images(exchange);
  Flows flows = flows_of(devices_, exchange.parts, cluster_, fold_);
  std::erase_if(flows.flows, [&](const Flow& flow) { return !blocks_.plays(flow.from); });
  if (flows.ahead > 0) s4u::this_actor::sleep_for(flows.ahead);
  send(flows.flows);
  flows_ += static_cast<int64_t>(flows.flows.size());
  exchange.done = true, exchange.ended = s4u::Engine::get_clock();
  for (const auto& sleeper : exchange.sleepers) sleeper->release();
  exchange.sleepers.clear();
}

}  // namespace graticule

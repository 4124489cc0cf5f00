#include "graticule/simulate/simulator.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <set>
#include <tuple>
#include <unordered_map>

#include "graticule/core/error.h"
#include "graticule/simulate/apart.h"
#include "graticule/simulate/simulator_channel.h"

namespace graticule {

namespace s4u = simgrid::s4u;

namespace {

/// An event of a trace, with its time on this cluster. Consecutive kernels of one activity are one
/// instruction.
struct Instruction {
  enum class Kind { work, start, wait } kind;
  Activity activity;
  double seconds;  ///< work: its time
  size_t start;    ///< start, wait: index in Program::starts
};

struct Program {
  std::vector<Instruction> instructions;
  std::vector<const TracedStart*> starts;
};

Activity activity_of(const TracedKernel& traced) {
  if (traced.updates) return Activity::optimizer;
  switch (traced.kernel.kind) {
    case Kernel::Kind::linear:
      return Activity::linear;
    case Kernel::Kind::attention:
      return Activity::attention;
    case Kernel::Kind::pointwise:
      return Activity::pointwise;
  }
  GRATICULE_CHECK(false, "kernel ", static_cast<int>(traced.kernel.kind));
}

Program program_of(const StepTrace& trace, const Cluster& cluster, Precision precision) {
  using Kind = Instruction::Kind;
  Program program;
  auto& list = program.instructions;
  for (const TraceEvent& event : trace.events) {
    if (const auto* start = std::get_if<TracedStart>(&event)) {
      list.push_back({Kind::start, {}, 0, program.starts.size()});
      program.starts.push_back(start);
    } else if (const auto* wait = std::get_if<TracedWait>(&event)) {
      list.push_back({Kind::wait, {}, 0, wait->start});
    } else {
      const auto& traced = std::get<TracedKernel>(event);
      const double seconds = seconds_of(traced.kernel, cluster, precision);
      const Activity activity = activity_of(traced);
      if (!list.empty() && list.back().kind == Kind::work && list.back().activity == activity) {
        list.back().seconds += seconds;
      } else {
        list.push_back({Kind::work, activity, seconds, 0});
      }
    }
  }
  return program;
}

/// A log-normal factor of mean 1 and about this standard deviation; 1 without a draw if it is 0.
double scattered(double deviation, std::mt19937& random) {
  if (deviation == 0) return 1;
  return std::lognormal_distribution<double>(-deviation * deviation / 2, deviation)(random);
}

bool is_message(const TracedStart& start) {
  return start.exchange.kind == DryExchange::Kind::send || start.exchange.kind == DryExchange::Kind::receive;
}

/// Everything that the actors of one simulation share. SimGrid runs one actor at a time.
class Machine {
 public:
  Machine(const WorldTraces& traces, const Cluster& cluster, Precision precision,
          const SimulationOptions& options, const Blocks& blocks);
  Simulation run(s4u::Engine& engine);

 private:
  friend class RankActor;
  Channel& channel_of(size_t rank, const TracedStart& start);
  Channel& channel_between(size_t group, int from, int to, int tag);

  const WorldTraces& traces_;
  const Cluster& cluster_;
  const SimulationOptions& options_;
  Blocks blocks_;
  Platform platform_;
  std::vector<Program> programs_;
  std::vector<Channel> channels_;                                  ///< by group
  std::map<std::tuple<size_t, int, int, int>, Channel> messages_;  ///< by group, sender, receiver, tag
  std::set<int64_t> slow_nodes_;
  Simulation result_;
};

/// The actor of one rank: runs its program.
class RankActor {
 public:
  RankActor(Machine& machine, size_t rank);
  void run();

 private:
  void start(size_t number);
  void join(size_t number);
  void join_for(size_t number);
  void wait(size_t number);
  void work();
  void draw(Interval::Kind kind, std::string_view what, double start, double end) {
    if (drawn_) drawn_->push_back({kind, std::string(what), start, end});
  }

  Machine& machine_;
  size_t rank_;
  const StepTrace& trace_;
  const Program& program_;
  RankTime& time_;
  std::vector<Interval>* drawn_ = nullptr;  ///< null unless the rank's intervals are kept
  std::mt19937 random_;
  double pace_;  ///< seconds for each second of work in the program
  s4u::SemaphorePtr wake_ = s4u::Semaphore::create(0);
  std::vector<const Instruction*> work_;  ///< instructions since the last exchange
  std::vector<size_t> unjoined_;          ///< starts whose messages do not move yet
  std::unordered_map<size_t, std::shared_ptr<Underway>> underway_;
};

RankActor::RankActor(Machine& machine, size_t rank)
    : machine_(machine),
      rank_(rank),
      trace_(machine.traces_.traces[machine.traces_.ranks[rank].trace]),
      program_(machine.programs_[machine.traces_.ranks[rank].trace]),
      time_(machine.result_.ranks[rank]),
      random_(static_cast<uint32_t>(machine.options_.seed * 0x9e3779b9u + rank)),
      pace_(scattered(machine.options_.spread, random_)) {
  if (machine.slow_nodes_.contains(static_cast<int64_t>(rank) / machine.cluster_.devices_per_node))
    pace_ *= machine.options_.slow_factor;
  const auto& drawn = machine.options_.drawn;
  const auto draws = [&](int of) { return machine.blocks_.image(of) == static_cast<int64_t>(rank); };
  if (std::any_of(drawn.begin(), drawn.end(), draws)) drawn_ = &machine.result_.drawn[static_cast<int>(rank)];
}

void RankActor::run() {
  for (const Instruction& instruction : program_.instructions) {
    switch (instruction.kind) {
      case Instruction::Kind::work:
        work_.push_back(&instruction);
        break;
      case Instruction::Kind::start:
        work();
        start(instruction.start);
        break;
      case Instruction::Kind::wait:
        work();
        wait(instruction.start);
        break;
    }
  }
  work();
  for (const size_t number : std::exchange(unjoined_, {})) join(number);
  time_.end = s4u::Engine::get_clock();
}

// All work between two exchanges is one sleep.
void RankActor::work() {
  const double begin = s4u::Engine::get_clock();
  const double pace = pace_ * scattered(machine_.options_.jitter, random_);
  double now = begin;
  for (const Instruction* instruction : std::exchange(work_, {})) {
    const double seconds = instruction->seconds * pace;
    time_.of(instruction->activity) += seconds;
    draw(Interval::Kind::active, name_of(instruction->activity), now, now + seconds);
    now += seconds;
  }
  if (now > begin) s4u::this_actor::sleep_for(now - begin);
}

void RankActor::start(size_t number) {
  if (machine_.options_.overlap < 0.5) {
    unjoined_.push_back(number);
  } else {
    join(number);
  }
}

void RankActor::join(size_t number) {
  const TracedStart& start = *program_.starts[number];
  const bool receives = start.exchange.kind == DryExchange::Kind::receive;
  const auto& groups = machine_.traces_.ranks[rank_].groups;
  const auto place =
      static_cast<size_t>(is_message(start) ? receives : groups.at(trace_.groups[start.group].label).place);
  underway_[number] =
      machine_.channel_of(rank_, start).join(place, {&start.exchange, trace_.groups[start.group].rank});
}

// Without overlap: joins the exchanges that move during the wait for exchange `number`. Messages between
// stages move in any wait. A collective moves in the wait for it, or for a later one of its group. All ranks
// of a group wait in the same order, so there is no deadlock.
void RankActor::join_for(size_t number) {
  const size_t group = program_.starts[number]->group;
  std::erase_if(unjoined_, [&](size_t unjoined) {
    const TracedStart& start = *program_.starts[unjoined];
    if (!is_message(start) && !(start.group == group && unjoined <= number)) return false;
    join(unjoined);
    return true;
  });
}

void RankActor::wait(size_t number) {
  join_for(number);
  const auto exchange = underway_.extract(number).mapped();
  const std::string& label = trace_.groups[program_.starts[number]->group].label;
  const double begin = s4u::Engine::get_clock();
  exchange->wait(wake_);
  const double end = s4u::Engine::get_clock();
  draw(Interval::Kind::exchange, label, exchange->began, exchange->ended);
  if (end == begin) return;
  const double late = std::clamp(exchange->began, begin, end) - begin;
  time_.idled[label] += late, time_.waited[label] += end - begin - late;
  draw(Interval::Kind::waits, label, begin, end);
}

Machine::Machine(const WorldTraces& traces, const Cluster& cluster, Precision precision,
                 const SimulationOptions& options, const Blocks& blocks)
    : traces_(traces),
      cluster_(cluster),
      options_(options),
      blocks_(blocks),
      platform_(make_platform(cluster, std::ssize(traces.ranks), blocks, options.other_jobs)) {
  for (const StepTrace& trace : traces.traces) programs_.push_back(program_of(trace, cluster, precision));
  for (const WorldGroup& group : traces.groups) {
    channels_.emplace_back(std::vector<int64_t>(group.members.begin(), group.members.end()), blocks_,
                           cluster_, platform_, options.fold);
  }
  result_.ranks.resize(traces.ranks.size());
  std::mt19937_64 random(options.seed);
  const auto nodes = platform_.nodes.size();
  while (std::ssize(slow_nodes_) < std::min<int64_t>(options.slow_nodes, static_cast<int64_t>(nodes)))
    slow_nodes_.insert(static_cast<int64_t>(random() % nodes));
}

Channel& Machine::channel_of(size_t rank, const TracedStart& start) {
  const TracedGroup& traced = traces_.traces[traces_.ranks[rank].trace].groups[start.group];
  const size_t group = traces_.ranks[rank].groups.at(traced.label).group;
  switch (start.exchange.kind) {
    case DryExchange::Kind::send:
      return channel_between(group, traced.rank, start.exchange.peer, start.exchange.tag);
    case DryExchange::Kind::receive:
      return channel_between(group, start.exchange.peer, traced.rank, start.exchange.tag);
    default:
      return channels_[group];
  }
}

// The places in the trace are those of this rank too: ranks of a class have the same place in a pipeline
// group.
Channel& Machine::channel_between(size_t group, int from, int to, int tag) {
  const auto& members = traces_.groups[group].members;
  const std::vector<int64_t> devices = {members[static_cast<size_t>(from)], members[static_cast<size_t>(to)]};
  return messages_.try_emplace({group, from, to, tag}, devices, blocks_, cluster_, platform_, options_.fold)
      .first->second;
}

Simulation Machine::run(s4u::Engine& engine) {
  std::vector<std::unique_ptr<RankActor>> actors;
  for (size_t rank = 0; rank < traces_.ranks.size(); ++rank) {
    if (!blocks_.plays(static_cast<int64_t>(rank))) continue;
    actors.push_back(std::make_unique<RankActor>(*this, rank));
    s4u::Actor::create("rank", platform_.devices[rank], [actor = actors.back().get()] { actor->run(); });
  }
  engine.run();
  for (const RankTime& time : result_.ranks) result_.seconds = std::max(result_.seconds, time.end);
  for (const Channel& channel : channels_) result_.flows += channel.flows();
  for (const auto& [key, channel] : messages_) result_.flows += channel.flows();
  const bool ended = std::all_of(result_.ranks.begin(), result_.ranks.end(),
                                 [](const RankTime& time) { return time.end > 0 || time.busy() == 0; });
  GRATICULE_CHECK(ended, "the ranks of the simulation wait for each other for ever");
  return std::move(result_);
}

void validate(const WorldTraces& traces, const Cluster& cluster, const SimulationOptions& options) {
  const int64_t devices = cluster.nodes * cluster.devices_per_node;
  if (std::ssize(traces.ranks) > devices) {
    refuse("simulate", traces.ranks.size(), " ranks on ", devices, " devices of ", cluster.name,
           ": choose at most that many, or another cluster");
  }
  for (const auto& [name, deviation] : {std::pair{"jitter", options.jitter}, {"spread", options.spread}}) {
    if (!(deviation >= 0 && deviation <= 1))
      refuse("simulate", name, " of ", 100 * deviation, " %: choose 0 to 100");
  }
  if (!(options.other_jobs >= 0 && options.other_jobs < 1))
    refuse("simulate", "other jobs take ", 100 * options.other_jobs,
           " % of the links: choose 0 to below 100");
  if (options.slow_nodes < 0 || !(options.slow_factor >= 1)) {
    refuse("simulate", options.slow_nodes, " slow nodes by a factor of ", options.slow_factor,
           ": choose 0 nodes or more, and a factor of 1 or more");
  }
}

Blocks played(const WorldTraces& traces, const Cluster& cluster, const SimulationOptions& options) {
  const auto ranks = std::ssize(traces.ranks);
  const bool devices_differ = options.jitter > 0 || options.spread > 0 || options.slow_nodes > 0;
  return options.repeat && !devices_differ ? blocks_of(traces, cluster) : Blocks{ranks, ranks};
}

// Gives the ranks that were not played the times of their images.
void copy_to_all(Simulation& simulation, const Blocks& blocks, const SimulationOptions& options) {
  const auto image = [&](int64_t rank) { return blocks.image(rank); };
  for (size_t rank = 0; rank < simulation.ranks.size(); ++rank)
    simulation.ranks[rank] = simulation.ranks[static_cast<size_t>(image(static_cast<int64_t>(rank)))];
  const auto drawn = std::exchange(simulation.drawn, {});
  for (const int rank : options.drawn) simulation.drawn[rank] = drawn.at(static_cast<int>(image(rank)));
}

}  // namespace

// SimGrid allows one engine in the life of a process, so each simulation runs in its own.
Simulation simulate_step(const WorldTraces& traces, const Cluster& cluster, Precision precision,
                         const SimulationOptions& options) {
  validate(traces, cluster, options);
  const Blocks blocks = played(traces, cluster, options);
  Simulation simulation = unpacked(run_apart([&] {
    // Plain flows with the bandwidths and latencies of the cluster file: no TCP window, no acknowledgements.
    std::vector<std::string> words = {"graticule",
                                      "--log=root.thres:warning",
                                      "--cfg=network/model:CM02",
                                      "--cfg=network/TCP-gamma:0",
                                      "--cfg=network/crosstraffic:0",
                                      "--cfg=contexts/stack-size:128"};
    std::vector<char*> arguments;
    arguments.reserve(words.size());
    for (std::string& word : words) arguments.push_back(word.data());
    int count = static_cast<int>(arguments.size());
    s4u::Engine engine(&count, arguments.data());
    return packed(Machine(traces, cluster, precision, options, blocks).run(engine));
  }));
  copy_to_all(simulation, blocks, options);
  return simulation;
}

}  // namespace graticule

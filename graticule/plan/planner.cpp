#include "graticule/plan/planner.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <queue>
#include <set>
#include <tuple>

#include "graticule/core/error.h"
#include "graticule/footprint/cpu_scratch.h"
#include "graticule/footprint/step_memory.h"
#include "graticule/plan/layout_choices.h"

namespace graticule {

namespace {

/// The key of a table line: degrees and context method. The table shows the best layout of each.
using Product = std::tuple<int64_t, int64_t, int64_t, int64_t, int64_t, ContextMethod>;

Product product_of(const Layout& layout) {
  const ParallelOptions& p = layout.parallel;
  return {p.pipeline, p.data, p.context, p.ulysses, p.tensor, p.context_method};
}

// Rounds to 30 bits, so that sums of equal parts in another order are equal times.
double rounded(double seconds) {
  constexpr int bits = 30;
  int exponent = 0;
  const double fraction = std::frexp(seconds, &exponent);
  return std::ldexp(std::round(std::ldexp(fraction, bits)), exponent - bits);
}

/// A frame with a lower bound of the time of its variants, or a variant with its time.
struct Entry {
  double seconds;
  size_t frame, variant;  ///< order of enumeration: of equal times the earlier, simpler one wins
  bool is_frame;
  Layout layout;
};

struct Later {
  bool operator()(const Entry& a, const Entry& b) const {
    return std::tie(a.seconds, a.frame, a.variant) > std::tie(b.seconds, b.frame, b.variant);
  }
};

// The most seconds that another variant of a frame can save: the exposed part of the exchanges that variants
// change, with its share of the bubble, and the update.
double most_saved(const StepTime& time, const Layout& frame, const Axes& axes) {
  double changed = 0;
  for (const auto& [group, seconds] : time.exchange) {
    const bool of_heads = group == GroupOf::ulysses ||
                          (is_of_context(group) && frame.parallel.context_method != ContextMethod::ring);
    if (of_heads || is_of_weights(group)) changed += seconds;
  }
  const auto rounds = static_cast<double>(frame.parallel.micro_batches * frame.parallel.chunks);
  return std::min(changed, time.exposed) * (1 + (axes.pipeline - 1) / rounds) + time.optimizer;
}

// The candidate with its memory. Stops at the first stage that holds more than `enough` bytes.
Candidate measured_up_to(int64_t enough, const Question& question, const Layout& layout) {
  const Options options = with_layout(question.options, layout);
  const Axes axes = axes_of(layout);
  Candidate fullest{layout};
  for (int stage = 0; stage < axes.pipeline && fullest.memory.total() <= enough; ++stage) {
    const Booked memory = memory_of_step(options, question.shape, axes,
                                         stage * (axes.world() / axes.pipeline), scratch_of(options.train));
    if (memory.total() > fullest.memory.total()) fullest.memory = memory, fullest.stage = stage;
  }
  return fullest;
}

/// Best-first search. The queue has frames by their lower bounds and variants by their times. A popped frame
/// is replaced by its variants; a popped variant is faster than everything that is left.
class Search {
 public:
  explicit Search(const Question& question) : question_(question), options_(question.options) {}

  void add(const Layout& frame) {
    const StepTime time = time_of(frame);
    const double saved = most_saved(time, frame, axes_of(frame));
    queue_.push({rounded(std::max(0.0, time.total() - saved)), frames_++, 0, true, frame});
    products_.insert(product_of(frame));
  }

  Plan run(size_t most) {
    plan_.frames = std::ssize(queue_);
    const bool several = products_.size() > 1;
    while (!queue_.empty() && plan_.best.size() < most) {
      const Entry entry = queue_.top();
      queue_.pop();
      if (several && done_.contains(product_of(entry.layout))) continue;
      if (entry.is_frame)
        expand(entry);
      else
        judge(entry.layout);
      if (several && done_.size() == products_.size()) break;
    }
    if (!plan_.best.empty()) plan_.leanest.reset();
    if (plan_.too_large && !plan_.best.empty() &&
        plan_.too_large->time.total() >= plan_.best.front().time.total()) {
      plan_.too_large.reset();
    }
    return std::move(plan_);
  }

 private:
  StepTime time_of(const Layout& layout) {
    options_.parallel = layout.parallel, options_.train.activations = layout.activations;
    return time_of_step(question_.cluster, options_, question_.shape, axes_of(layout));
  }

  void expand(const Entry& entry) {
    const Layout& frame = entry.layout;
    const auto variants =
        variants_of(question_.options, question_.shape, frame, question_.cluster.devices_per_node);
    const auto leanest = leanest_variants(variants);
    const auto fit = [&](const Layout& one) { return fits(one); };
    // In small models another variant may hold a little less than the leanest.
    if (std::none_of(leanest.rbegin(), leanest.rend(), fit) &&
        std::none_of(variants.begin(), variants.end(), fit)) {
      for (const Layout& one : leanest) keep_leanest(one);
      if (plan_.too_large && plan_.too_large->time.total() <= entry.seconds) return;
      for (const Layout& variant : variants) note_too_large(variant);
      return;
    }
    for (size_t i = 0; i < variants.size(); ++i) {
      queue_.push({rounded(time_of(variants[i]).total()), entry.frame, i, false, variants[i]});
    }
  }

  void judge(const Layout& variant) {
    if (!fits(variant)) return note_too_large(variant);
    Candidate candidate = measured(question_, variant);
    candidate.time = time_of(variant);
    plan_.best.push_back(std::move(candidate));
    done_.insert(product_of(variant));
  }

  bool fits(const Layout& layout) const {
    return measured_up_to(question_.memory, question_, layout).memory.total() <= question_.memory;
  }

  void keep_leanest(const Layout& layout) {
    if (!plan_.best.empty()) return;
    const int64_t least = plan_.leanest ? plan_.leanest->memory.total() : std::numeric_limits<int64_t>::max();
    Candidate candidate = measured_up_to(least, question_, layout);
    if (candidate.memory.total() >= least) return;
    candidate.time = time_of(layout);
    plan_.leanest = std::move(candidate);
  }

  // Only needed while no layout that fits is known: then this one would be the best.
  void note_too_large(const Layout& layout) {
    if (!plan_.best.empty()) return;
    const StepTime time = time_of(layout);
    if (plan_.too_large && plan_.too_large->time.total() <= time.total()) return;
    plan_.too_large = measured(question_, layout);
    plan_.too_large->time = time;
  }

  const Question& question_;
  Options options_;
  std::priority_queue<Entry, std::vector<Entry>, Later> queue_;
  std::set<Product> products_, done_;
  size_t frames_ = 0;
  Plan plan_;
};

}  // namespace

int64_t usable_memory(const Cluster& cluster, const Options& options) {
  constexpr double gibi = 1024.0 * 1024.0 * 1024.0;
  const double given = options.train.memory_gib * gibi;
  return static_cast<int64_t>(given > 0 ? given : cluster.memory * (1 - runtime_reserve));
}

Options options_on(const Cluster& cluster, Options options) {
  if (!cluster.gpu) return options;
  if (!options.train.state_in.empty()) {
    refuse("plan", "train.state_in = \"", options.train.state_in, "\" on ", cluster.name,
           ", whose devices are GPUs: a GPU's optimizer state must be in its memory. Leave state_in out. "
           "train.moments = \"bf16\" and parallel.shard make the state smaller");
  }
  options.train.device = DeviceKind::cuda;
  return options;
}

Candidate measured(const Question& question, const Layout& layout) {
  return measured_up_to(std::numeric_limits<int64_t>::max(), question, layout);
}

Plan plan_layouts(const Question& question, size_t most) {
  const Cluster& cluster = question.cluster;
  const int64_t devices = cluster.nodes * cluster.devices_per_node;
  if (question.ranks < 1) refuse("plan", question.ranks, " ranks: choose 1 or more");
  if (question.ranks > devices) {
    refuse("plan", question.ranks, " ranks, and ", cluster.name, " has ", devices, " devices (",
           cluster.nodes, " nodes of ", cluster.devices_per_node, "): choose at most that many");
  }
  Search search(question);
  for (const Axes& axes : open_axes(question.options, question.shape, question.ranks)) {
    for (const Layout& frame : frames_of(question.options, question.shape, axes)) search.add(frame);
  }
  return search.run(most);
}

}  // namespace graticule

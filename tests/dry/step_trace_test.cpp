// Compares a trace with the closed forms: operations of products, bytes moved, bytes sent.

#include "graticule/dry/step_trace.h"

#include <gtest/gtest.h>

#include <numeric>
#include <set>

#include "graticule/core/error.h"
#include "graticule/dry/dry_run.h"
#include "graticule/plan/work.h"
#include "tests/footprint/layout_draws.h"
#include "tests/plan/planned_bytes.h"
#include "tests/seed.h"

namespace graticule {
namespace {

// Each rank's span twice: to its owner, and from its owner to all others.
int64_t all_reduce_bytes(const std::vector<int64_t>& spans, int64_t all, size_t place) {
  return all - spans[place] + spans[place] * (std::ssize(spans) - 1);
}

int64_t bytes_sent(const DryExchange& exchange, const TracedGroup& group) {
  const auto& bytes = exchange.bytes;
  const auto place = static_cast<size_t>(group.rank);
  const int64_t all = std::accumulate(bytes.begin(), bytes.end(), int64_t{0});
  switch (exchange.kind) {
    case DryExchange::Kind::all_gather:
      return bytes[place] * (group.ranks - 1);
    case DryExchange::Kind::all_to_all:
      return all - bytes[place];
    case DryExchange::Kind::all_reduce:
      return all_reduce_bytes(bytes, all, place);
    case DryExchange::Kind::broadcast:
      return exchange.peer == group.rank ? all * (group.ranks - 1) : 0;
    case DryExchange::Kind::send:
      return all;
    case DryExchange::Kind::receive:
    case DryExchange::Kind::barrier:
      return 0;
  }
  GRATICULE_CHECK(false, "exchange ", static_cast<int>(exchange.kind));
}

// Floating-point operations of its products and attention.
Work work_of(const StepTrace& trace) {
  Work work;
  for (const TraceEvent& event : trace.events) {
    const auto* traced = std::get_if<TracedKernel>(&event);
    if (!traced) continue;
    if (traced->kernel.kind == Kernel::Kind::linear) work.linear += traced->kernel.flops;
    if (traced->kernel.kind == Kernel::Kind::attention) work.attention += traced->kernel.flops;
  }
  return work;
}

// Bytes that the rank sends, by group label, by the formulas of Group (comm/group.h).
std::map<std::string, int64_t> bytes_of(const StepTrace& trace) {
  std::map<std::string, int64_t> bytes;
  for (const TraceEvent& event : trace.events) {
    const auto* start = std::get_if<TracedStart>(&event);
    if (!start) continue;
    const TracedGroup& group = trace.groups[start->group];
    const int64_t sent = bytes_sent(start->exchange, group);
    if (sent > 0) bytes[group.label] += sent;
  }
  return bytes;
}

// Every start is waited for at most once, and later.
void expect_in_order(const StepTrace& trace) {
  size_t starts = 0;
  std::set<size_t> waited;
  for (const TraceEvent& event : trace.events) {
    if (std::holds_alternative<TracedStart>(event)) ++starts;
    const auto* wait = std::get_if<TracedWait>(&event);
    if (!wait) continue;
    EXPECT_LT(wait->start, starts);
    EXPECT_TRUE(waited.insert(wait->start).second);
  }
}

// The closed form gives the tokenizer's patches an input gradient, which nobody wants of the first step, and
// leaves out its embedding of lead times; its q for aggregation is one for all places.
struct Tokenizer {
  double unwanted, slack;
};
Tokenizer tokenizer_of(const Draw& draw, int rank) {
  const RankShare share = rank_share(draw.options, draw.shape, draw.axes, rank);
  if (share.place.pipeline > 0) return {0, 0};
  const auto part = static_cast<double>(share.samples() * share.tokens.size()) /
                    static_cast<double>(draw.shape.grid.tokens());
  const auto C = static_cast<double>(draw.shape.dim);
  const double patches = 2 * static_cast<double>(draw.shape.grid.variables) * C *
                         static_cast<double>(draw.shape.grid.inputs() * draw.shape.grid.places());
  const double aggregation = flops(draw.shape).tokenizer - patches;
  const auto forwards = static_cast<double>(2 * draw.options.train.rollout - 1);
  return {part * patches, forwards * (4 * part * aggregation + 8 * C * static_cast<double>(share.samples()))};
}

TEST(StepTrace, HasTheProductsAndBytesOfTheClosedForms) {
  const auto seed = test_seed();
  std::mt19937_64 random(seed);
  for (int i = 0; i < 40; ++i) {
    const Draw draw = draw_layout(random,
                                  {Activations::keep, Activations::recompute,
                                   Activations::recompute_but_attention, Activations::offload},
                                  36);
    const int ranks = draw.axes.world(), rank = static_cast<int>(random() % static_cast<uint64_t>(ranks));
    SCOPED_TRACE(text("seed ", seed, ", draw ", i, ", rank ", rank, "\n", described(draw)));
    const StepTrace trace = trace_of_step(draw.options, draw.shape, {ranks, rank});
    const Work traced = work_of(trace),
               planned = work_of_step(draw.options, draw.shape, draw.axes, rank).all();
    const Tokenizer tokenizer = tokenizer_of(draw, rank);
    EXPECT_NEAR(traced.linear, planned.linear - tokenizer.unwanted, tokenizer.slack + 1e-9 * planned.linear);
    EXPECT_NEAR(traced.attention, planned.attention, 1e-9 * planned.attention);
    EXPECT_EQ(bytes_of(trace), planned_bytes(draw.options, draw.shape, draw.axes, rank));
    expect_in_order(trace);
  }
}

TEST(StepTrace, EndsWithTheOptimizer) {
  std::mt19937_64 random(1);
  Draw draw = draw_layout(random, {Activations::keep}, 8);
  draw.axes = {}, draw.options.parallel = {};
  const StepTrace trace = trace_of_step(draw.options, draw.shape, {});
  double updated = 0;
  bool updating = false;
  for (const TraceEvent& event : trace.events) {
    const auto* traced = std::get_if<TracedKernel>(&event);
    ASSERT_TRUE(traced) << "one rank exchanges nothing";
    updating = updating || traced->updates;
    if (traced->updates) updated += traced->kernel.bytes;
  }
  EXPECT_TRUE(updating);
  // AdamW reads weights, gradients and two moments, and writes three of them; the gradients are scaled
  // before.
  EXPECT_GE(updated, 9.0 * 4 * static_cast<double>(parameters(draw.shape)));
}

}  // namespace
}  // namespace graticule

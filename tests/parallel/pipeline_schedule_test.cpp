// Tests that schedules are complete, cannot deadlock, and have the bubble and memory that docs/pipeline.md
// states.

#include "graticule/core/pipeline_schedule.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <sstream>
#include <tuple>

#include "graticule/parallel/timeline.h"

namespace graticule {
namespace {

using Kind = StageAction::Kind;

constexpr std::array kinds = {ScheduleKind::gpipe, ScheduleKind::one_f_one_b, ScheduleKind::interleaved,
                              ScheduleKind::zero_bubble};

// The chunks and micro-batches of the actions of one kind, in order.
std::vector<std::pair<int, int>> order_of(const std::vector<StageAction>& actions, Kind kind) {
  std::vector<std::pair<int, int>> order;
  for (const auto& action : actions) {
    if (action.kind == kind) order.emplace_back(action.chunk, action.micro);
  }
  return order;
}

// Each (chunk, micro-batch) occurs once for each kind of action, and after the actions of this rank that it
// needs.
void expect_complete(const std::vector<StageAction>& actions, const std::vector<Kind>& steps, int chunks,
                     int micros) {
  std::map<std::pair<int, int>, size_t> taken;
  for (const auto& [kind, chunk, micro] : actions) {
    ASSERT_TRUE(chunk >= 0 && chunk < chunks && micro >= 0 && micro < micros);
    const size_t step = taken[{chunk, micro}]++;
    ASSERT_LT(step, steps.size());
    EXPECT_EQ(kind, steps[step]) << "chunk " << chunk << ", micro-batch " << micro;
  }
  EXPECT_EQ(actions.size(), steps.size() * chunks * micros);
}

TEST(Schedule, IsCompleteEndsAndStaysWithinItsMemory) {
  const unsigned seed = 11;
  std::mt19937 random(seed);
  const auto draw = [&](int low, int high) { return std::uniform_int_distribution(low, high)(random); };
  for (int round = 0; round < 1200; ++round) {
    const ScheduleKind kind = kinds[draw(0, 3)];
    const int stages = draw(1, 8), micros = draw(1, 20);
    const int chunks = kind == ScheduleKind::interleaved ? draw(2, 4) : 1;
    SCOPED_TRACE(::testing::Message()
                 << "seed " << seed << ", round " << round << ": " << name_of(kind) << ", " << stages
                 << " stages, " << chunks << " chunks, " << micros << " micro-batches");
    const bool split = kind == ScheduleKind::zero_bubble;
    const Kind backward = split ? Kind::backward_input : Kind::backward;
    std::vector<Kind> steps{Kind::forward, backward};
    if (split) steps.push_back(Kind::backward_weight);
    const auto first = schedule_of(kind, stages, 0, chunks, micros);
    for (int stage = 0; stage < stages; ++stage) {
      const auto actions = schedule_of(kind, stages, stage, chunks, micros);
      expect_complete(actions, steps, chunks, micros);
      // All stages have one order, so messages arrive in the order in which the receiver takes them.
      EXPECT_EQ(order_of(actions, Kind::forward), order_of(first, Kind::forward));
      EXPECT_EQ(order_of(actions, backward), order_of(first, backward));
    }
    const StageCosts costs{draw(1, 9) / 4.0, draw(0, 9) / 4.0, draw(0, 9) / 4.0, draw(0, 3) / 4.0};
    const Timeline timeline = simulate(kind, stages, chunks, micros, costs);  // throws if it does not end
    const auto most = most_in_flight(timeline);
    for (int stage = 0; stage < stages; ++stage) {
      const int later = stages - stage - 1;
      switch (kind) {
        case ScheduleKind::gpipe:
          EXPECT_EQ(most[stage], micros);
          break;
        case ScheduleKind::one_f_one_b:
          EXPECT_EQ(most[stage], std::min(stages - stage, micros));
          break;
        case ScheduleKind::interleaved:
          EXPECT_LE(most[stage], std::min((chunks - 1) * stages + 2 * later + 1, chunks * micros));
          if (micros % stages == 0) {
            EXPECT_EQ(most[stage], std::min((chunks - 1) * stages + 2 * later + 1, chunks * micros));
          }
          break;
        case ScheduleKind::zero_bubble:
          EXPECT_EQ(most[stage], std::min(stages, micros));
          break;
      }
    }
  }
}

// Checks the dependencies of a timeline without using the simulation's order: every input existed at the
// start of an action.
TEST(Timeline, NothingStartsBeforeItsInput) {
  for (const ScheduleKind kind : kinds) {
    const int stages = 3, micros = 7, chunks = kind == ScheduleKind::interleaved ? 3 : 1;
    const StageCosts costs{1, 1.5, 0.75, 0.25};
    const Timeline timeline = simulate(kind, stages, chunks, micros, costs);
    std::map<std::tuple<bool, int, int>, double> ends;  // backward?, virtual stage, micro-batch
    const auto key = [&](const StageAction& action, int stage, int shift) {
      return std::tuple(action.kind != Kind::forward, action.chunk * stages + stage + shift, action.micro);
    };
    for (int stage = 0; stage < stages; ++stage) {
      for (const auto& [action, start, end] : timeline.ranks[stage]) {
        if (action.kind != Kind::backward_weight) ends[key(action, stage, 0)] = end;
      }
    }
    for (int stage = 0; stage < stages; ++stage) {
      double free = 0;
      for (const auto& [action, start, end] : timeline.ranks[stage]) {
        EXPECT_GE(start, free);
        free = end;
        if (action.kind == Kind::backward_weight) continue;
        const auto input = ends.find(key(action, stage, action.kind == Kind::forward ? -1 : 1));
        if (input != ends.end()) {
          EXPECT_GE(start, input->second + costs.send) << name_of(kind);
        }
      }
    }
  }
}

TEST(Timeline, BubblesFollowTheirFormulas) {
  for (int stages = 1; stages <= 8; ++stages) {
    for (int micros = 1; micros <= 20; ++micros) {
      SCOPED_TRACE(::testing::Message() << stages << " stages, " << micros << " micro-batches");
      const double p = stages, m = micros, f = 1, b = 1.25, w = 0.75;
      const StageCosts costs{f, b, w};
      const auto share = [&](ScheduleKind kind, int chunks) {
        return bubble_share(simulate(kind, stages, chunks, micros, costs));
      };
      const double plain = share(ScheduleKind::one_f_one_b, 1);
      EXPECT_NEAR(plain, (p - 1) / (m + p - 1), 1e-12);
      EXPECT_NEAR(share(ScheduleKind::gpipe, 1), plain, 1e-12);
      for (const int v : {2, 3, 4}) {
        const double bubble = share(ScheduleKind::interleaved, v), best = (p - 1) / (v * m + p - 1);
        if (micros % stages == 0) {
          EXPECT_NEAR(bubble, best, 1e-12) << v << " chunks";
        } else {
          EXPECT_GE(bubble, best - 1e-12) << v << " chunks";
          // It takes no longer than the next multiple of micro-batches.
          const int padded = (micros + stages - 1) / stages * stages;
          EXPECT_LE(length_of(simulate(ScheduleKind::interleaved, stages, v, micros, costs)),
                    length_of(simulate(ScheduleKind::interleaved, stages, v, padded, costs)) + 1e-12);
        }
      }
      const double zero = share(ScheduleKind::zero_bubble, 1);
      if (stages > 1) {
        EXPECT_LT(zero, plain);
      }
      if (micros >= stages) {
        EXPECT_NEAR(zero, (p - 1) * (f + b - w) / (m * (f + b + w) + (p - 1) * (f + b - w)), 1e-12);
      }
    }
  }
}

TEST(Schedule, OneStageTakesMicroBatchesOneByOne) {
  using Actions = std::vector<StageAction>;
  EXPECT_EQ(
      schedule_of(ScheduleKind::one_f_one_b, 1, 0, 1, 2),
      (Actions{
          {Kind::forward, 0, 0}, {Kind::backward, 0, 0}, {Kind::forward, 0, 1}, {Kind::backward, 0, 1}}));
  EXPECT_EQ(schedule_of(ScheduleKind::zero_bubble, 1, 0, 1, 1),
            (Actions{{Kind::forward, 0, 0}, {Kind::backward_input, 0, 0}, {Kind::backward_weight, 0, 0}}));
}

TEST(Schedule, RefusesWhatCannotWork) {
  EXPECT_THROW(validate(ScheduleKind::one_f_one_b, 4, 2, 8), std::invalid_argument);
  EXPECT_THROW(validate(ScheduleKind::interleaved, 4, 1, 8), std::invalid_argument);
  EXPECT_THROW(validate(ScheduleKind::gpipe, 0, 1, 8), std::invalid_argument);
  EXPECT_THROW(validate(ScheduleKind::gpipe, 4, 1, 0), std::invalid_argument);
  EXPECT_THROW(schedule_named("1b1f"), std::invalid_argument);
  EXPECT_THROW(simulate(ScheduleKind::gpipe, 4, 1, 8, {0, 1, 1}), std::invalid_argument);
  EXPECT_THROW(simulate(ScheduleKind::gpipe, 4, 1, 8, {1, -1, 1}), std::invalid_argument);
  for (const auto kind : kinds) EXPECT_EQ(schedule_named(name_of(kind)), kind);
}

TEST(Timeline, IsDrawn) {
  EXPECT_EQ(
      drawn(simulate(ScheduleKind::one_f_one_b, 2, 1, 2)),
      "0  F0 F1 .  .  B0 -- .  B1 --\n"
      "1  .  F0 B0 -- F1 B1 -- .  .\n"
      "1f1b, 2 micro-batches: 33.3 % of the time idle; at most 2 micro-batches in flight, on stage 0\n");
  // Four stages and eight micro-batches fit the screen.
  for (const auto kind : kinds) {
    std::istringstream lines(drawn(simulate(kind, 4, kind == ScheduleKind::interleaved ? 2 : 1, 8)));
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 120U) << line;
  }
}

TEST(StageSpans, AreBalancedWithTheLargerOnesInside) {
  for (int64_t depth = 1; depth <= 40; ++depth) {
    for (int stages = 1; stages <= depth; ++stages) {
      SCOPED_TRACE(::testing::Message() << depth << " transformer blocks over " << stages << " stages");
      const auto spans = stage_spans(depth + 2, stages);
      ASSERT_EQ(spans.size(), static_cast<size_t>(stages));
      std::vector<int64_t> sizes;  // in transformer blocks
      int64_t end = 0;
      for (const auto& span : spans) {
        EXPECT_EQ(span.begin, end);
        end = span.end;
        sizes.push_back(span.size());
      }
      EXPECT_EQ(end, depth + 2);
      --sizes.front();
      --sizes.back();
      const int64_t smallest = depth / stages;
      for (const int64_t size : sizes) EXPECT_TRUE(size == smallest || size == smallest + 1) << size;
      EXPECT_EQ(sizes.front(), smallest);
      if (stages > 1) {
        EXPECT_EQ(sizes.back(), depth % stages == stages - 1 ? smallest + 1 : smallest);
      }
    }
    EXPECT_THROW(stage_spans(depth + 2, static_cast<int>(depth) + 1), std::invalid_argument);
  }
  EXPECT_THROW(stage_spans(6, 0), std::invalid_argument);
}

}  // namespace
}  // namespace graticule

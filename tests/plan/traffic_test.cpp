// Tests that the closed forms give exactly the bytes that the groups of a real run count, on every rank.

#include "graticule/plan/traffic.h"

#include <gtest/gtest.h>

#include "graticule/dry/dry_run.h"
#include "graticule/train/step.h"
#include "tests/footprint/layout_draws.h"
#include "tests/plan/planned_bytes.h"
#include "tests/ranks.h"
#include "tests/seed.h"
#include "tests/train/scratch_folder.h"

namespace graticule {
namespace {

std::map<std::string, int64_t> bytes_sent(const Mesh& mesh) {
  std::map<std::string, int64_t> bytes;
  for (const auto& [label, traffic] : traffic_of(mesh)) bytes[label] = traffic.bytes_sent;
  return bytes;
}

std::string printed(const std::map<std::string, int64_t>& bytes) {
  std::string lines;
  for (const auto& [label, sent] : bytes) lines += text("  ", label, " ", sent, "\n");
  return lines;
}

void expect_exact(const Draw& draw) {
  const ScratchFolder folder;
  Options options = draw.options;
  options.run.out = folder.path();
  run_ranks(draw.axes.world(), [&](const World& world) {
    Run run = assemble(define_problem(options), world, true);
    for (int step = 0; step < 2; ++step) {
      std::map<std::string, int64_t> sent = bytes_sent(run.mesh);
      train_step(run, false);
      for (const auto& [label, bytes] : bytes_sent(run.mesh)) {
        sent[label] = bytes - sent[label];
        if (sent[label] == 0) sent.erase(label);
      }
      const auto expected = planned_bytes(run.options, run.shape, run.mesh.axes, world.rank);
      EXPECT_EQ(expected, sent) << "rank " << world.rank << ", step " << step << "\nplanned\n"
                                << printed(expected) << "sent\n"
                                << printed(sent);
    }
  });
}

TEST(Traffic, EqualsWhatRandomRunsCount) {
  const auto seed = test_seed();
  std::mt19937_64 random(seed);
  for (int i = 0; i < 24; ++i) {
    const Draw draw = draw_layout(random,
                                  {Activations::keep, Activations::recompute_but_attention,
                                   Activations::recompute, Activations::offload},
                                  8);
    SCOPED_TRACE(text("seed ", seed, ", draw ", i, "\n", described(draw)));
    expect_exact(draw);
    if (HasFailure()) return;
  }
}

// Schedules with stages of one block, where weights stay from one task to the next.
TEST(Traffic, CountsGathersOfShortStages) {
  const auto seed = test_seed();
  std::mt19937_64 random(seed);
  for (const ScheduleKind schedule : {ScheduleKind::gpipe, ScheduleKind::one_f_one_b,
                                      ScheduleKind::interleaved, ScheduleKind::zero_bubble}) {
    Draw draw = draw_layout(random, {Activations::recompute}, 8);
    draw.axes = {.pipeline = schedule == ScheduleKind::interleaved ? 2 : 4, .ulysses = 2};
    ParallelOptions& p = draw.options.parallel;
    fill_in(p, draw.axes);
    p.schedule = schedule, p.chunks = schedule == ScheduleKind::interleaved ? 2 : 1;
    p.shard = Shard::full, p.shard_ranks = 0, p.micro_batches = 5;
    SCOPED_TRACE(text("seed ", seed, "\n", described(draw)));
    expect_exact(draw);
  }
}

// Of random tasks all bytes are those of a dry run, but those that spread visible tokens: they depend on the mask, and
// are about right over many masks.
TEST(Traffic, OfTasksIsThatOfADryRun) {
  const auto seed = test_seed();
  std::mt19937_64 random(seed);
  double spread = 0,
         expected_spread = 0;  // relative to what a rank could send, so that no draw outweighs the others
  for (int i = 0; i < 60; ++i) {
    Draw draw = with_task(draw_layout(random, {Activations::keep, Activations::recompute}, 8), random);
    draw.options.train.seed = static_cast<int64_t>(random() % 1000);
    SCOPED_TRACE(text("seed ", seed, ", draw ", i, "\n", described(draw)));
    for (int rank = 0; rank < draw.axes.world(); ++rank) {
      std::map<std::string, int64_t> sent, planned = planned_bytes(draw.options, draw.shape, draw.axes, rank);
      for (const auto& [label, traffic] :
           dry_run(draw.options, draw.shape, {draw.axes.world(), rank}).traffic)
        sent[label] = traffic.bytes_sent;
      if (draw.shape.has_decoder()) {
        const std::string label(name_of(GroupOf::holders));
        const auto all = static_cast<double>(draw.shape.grid.tokens() * draw.options.data.batch *
                                             (draw.shape.dim + draw.shape.decoder.dim));
        spread += static_cast<double>(sent[label]) / all;
        expected_spread += static_cast<double>(planned[label]) / all;
        sent.erase(label), planned.erase(label);
      }
      EXPECT_EQ(planned, sent) << "rank " << rank << "\nplanned\n"
                               << printed(planned) << "sent\n"
                               << printed(sent);
    }
    if (HasFailure()) return;
  }
  std::cout << "visible tokens: " << expected_spread / spread << " of what is sent\n";
  EXPECT_NEAR(expected_spread / spread, 1, 0.6) << "seed " << seed;
}

}  // namespace
}  // namespace graticule

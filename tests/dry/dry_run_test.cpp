// Compares a dry run with the real run, whose ranks are threads: peak of tensors, bytes and operations by
// group.

#include <ATen/ops/ones.h>

#include "graticule/dry/dry_run.h"

#include <gtest/gtest.h>

#include <random>

#include "graticule/core/error.h"
#include "graticule/kernel/flash_cpu.h"
#include "graticule/recipe/layout.h"
#include "graticule/train/build.h"
#include "graticule/train/memory.h"
#include "graticule/train/step.h"
#include "tests/ranks.h"
#include "tests/seed.h"
#include "tests/train/scratch_folder.h"

namespace graticule {
namespace {

struct Case {
  Axes axes;
  std::string method = "lss", shard = "none", schedule = "1f1b", activations = "keep", precision = "fp32",
              tokens = "full";
  int micro_batches = 1, chunks = 1, shard_ranks = 0, head_groups = 1, gather_heads = 0;
  bool keep_exchanged = true, to_file = false;
  int tile = 4096;
  std::string moments = "fp32";
  std::string form = "";  ///< keys of the form of queries and keys; none: that of a new recipe
  double ema = 0;
};

constexpr int rows = 14, columns = 24, variables = 5, dim = 56;

std::string recipe(const Case& c, const std::string& folder = "unused") {
  return text("[data]\npath = \"synthetic:rows=", rows, ",columns=", columns, ",variables=", variables,
              ",times=80,step_hours=6\"\nlead_hours = [12, 24]\ntrain = [\"2001-01-01\", \"2001-01-15\"]\n",
              "batch = 4\n[model]\npatch = 2\ndim = ", dim, "\ndepth = 5\nheads = 7\nmlp_ratio = 1.8\n",
              c.form, "drop_path = 0.3\ntokens = \"", c.tokens,
              "\"\n[parallel]\npipeline = ", c.axes.pipeline, "\ndata = ", c.axes.data,
              "\ncontext = ", c.axes.context, "\nulysses = ", c.axes.ulysses, "\ntensor = ", c.axes.tensor,
              "\ncontext_method = \"", c.method, "\"\nshard = \"", c.shard, "\"\nschedule = \"", c.schedule,
              "\"\nmicro_batches = ", c.micro_batches, "\nchunks = ", c.chunks,
              "\nshard_ranks = ", c.shard_ranks, "\nhead_groups = ", c.head_groups,
              "\ngather_heads = ", c.gather_heads, "\nkeep_exchanged = ", c.keep_exchanged ? "true" : "false",
              "\n[train]\nsteps = 3\nwarmup = 1\nthreads = 1\nseed = 11\nprecision = \"", c.precision,
              "\"\nactivations = \"", c.activations, "\"\ntile_tokens = ", c.tile, "\nmoments = \"",
              c.moments, "\"\nema = ", c.ema, "\noffload_to = \"", c.to_file ? folder : "",
              "\"\n[run]\nout = \"", folder, "\"\n");
}

struct Seen {
  Booked peak;
  std::map<std::string, Traffic> traffic;
};

Seen real_run(const World& world, const std::string& text) {
  Ledger ledger;
  const MemoryWatch watch(ledger);
  Run run = assemble(define_problem(parse_recipe(text, "test")), world, true);
  std::map<std::string, Traffic> before;
  for (int step = 0; step < 3; ++step) {
    before = traffic_of(run.mesh);
    train_step(run, false);
  }
  Seen seen{ledger.peak(), traffic_of(run.mesh)};
  for (auto& [label, traffic] : seen.traffic) {
    traffic.bytes_sent -= before[label].bytes_sent, traffic.operations -= before[label].operations;
  }
  return seen;
}

// Another thread reads batches, so the number of batches at the peak varies.
int64_t without_data(const Booked& peak) { return peak.total() - peak.of(Account::data); }

// If ranks are threads a message to another stage is copied, and the copy stays until that stage takes it.
// A tensor that is being written to a file, or was read back early, is still in memory.
double passing_of(const DryRun& dry, const Case& c) {
  const int64_t one = dry.samples.size() * dry.tokens.size() * dim * 4;
  return static_cast<double>((c.axes.pipeline > 1 ? 2 * one : 0) +
                             (c.to_file ? OffloadStore::in_flight * one : 0));
}

// Where oneDNN multiplies bf16 (processors with AMX), what its products hold for an instant is not counted:
// up to 10 % of the smallest models, thousandths of large ones.
double least_share(const Case& c) {
  return c.precision == "bf16" && cpu_level(at::kBFloat16) == CpuLevel::amx ? 0.88 : 0.95;
}

void expect_as_real(const Case& c) {
  const ScratchFolder folder;
  const std::string text = recipe(c, folder.path());
  std::vector<Seen> real(static_cast<size_t>(c.axes.world()));
  run_ranks(c.axes.world(),
            [&](const World& world) { real[static_cast<size_t>(world.rank)] = real_run(world, text); });
  const Problem problem = define_problem(parse_recipe(text, "test"));
  for (int rank = 0; rank < c.axes.world(); ++rank) {
    const Seen& seen = real[static_cast<size_t>(rank)];
    const DryRun dry = dry_run(problem.options, problem.shape, {c.axes.world(), rank});
    SCOPED_TRACE(::testing::Message() << "rank " << rank << "\n"
                                      << recipe(c) << "dry\n"
                                      << table_of(dry.peak) << "real\n"
                                      << table_of(seen.peak));
    const auto expected = static_cast<double>(without_data(seen.peak));
    const auto planned = static_cast<double>(without_data(dry.peak));
    EXPECT_LE(planned, 1.05 * expected + passing_of(dry, c));
    EXPECT_GE(planned, least_share(c) * expected - passing_of(dry, c));
    EXPECT_LE(seen.peak.of(Account::data), dry.peak.of(Account::data));
    ASSERT_EQ(dry.traffic.size(), seen.traffic.size());
    for (const auto& [label, traffic] : seen.traffic) {
      ASSERT_TRUE(dry.traffic.contains(label)) << label;
      EXPECT_EQ(dry.traffic.at(label).bytes_sent, traffic.bytes_sent) << label;
      EXPECT_EQ(dry.traffic.at(label).operations, traffic.operations) << label;
    }
  }
}

Case random_case(std::mt19937_64& random) {
  const auto pick = [&](const auto& choices) { return choices[random() % std::size(choices)]; };
  const char* const methods[] = {"lss", "ring", "mesh"};
  const char* const shards[] = {"none", "optimizer", "gradients", "full"};
  const char* const policies[] = {"keep", "recompute_but_attention", "recompute", "offload"};
  const char* const precisions[] = {"fp32", "bf16"};
  const char* const schedules[] = {"gpipe", "1f1b", "interleaved", "zero_bubble"};
  const char* const modes[] = {"full", "full", "channels", "aggregated"};
  const char* const forms[] = {"", "", "qk_norm = \"layer\"\nplace = \"added\"\nqk_variables = false\n",
                               "place = \"rotary\"\n", "qk_norm = \"none\"\n"};
  const int degrees[] = {1, 1, 2, 3}, contexts[] = {1, 1, 2, 3, 4, 6};
  const int small[] = {1, 2, 3};
  for (;;) {
    Case c;
    c.axes = {pick(degrees), pick(degrees), pick(contexts), pick(degrees), pick(degrees)};
    c.method = pick(methods), c.shard = pick(shards), c.activations = pick(policies);
    c.precision = pick(precisions), c.tokens = pick(modes), c.form = pick(forms);
    c.schedule = c.axes.pipeline > 1 ? pick(schedules) : "1f1b";
    c.chunks = c.schedule == "interleaved" ? 2 : 1;
    c.micro_batches = pick(small), c.head_groups = pick(small), c.gather_heads = pick(small) - 1;
    c.keep_exchanged = random() % 2 == 0;
    const int tiles[] = {4096, 17, 64};
    c.tile = pick(tiles), c.moments = random() % 2 == 0 ? "fp32" : "bf16";
    c.ema = c.micro_batches == 2 ? 0.99 : 0;
    c.to_file = c.activations == "offload" && random() % 2 == 0;
    const int replicas = c.axes.data * c.axes.sequence();
    c.shard_ranks = replicas % 2 == 0 && random() % 2 == 0 ? replicas / 2 : 0;
    if (c.axes.world() > 8) continue;
    const Options options = parse_recipe(recipe(c), "test");
    if (!trouble_with(c.axes, options,
                      shape_of(options.model, {.variables = variables, .rows = rows, .columns = columns})))
      return c;
  }
}

TEST(DryRun, HoldsAndSendsWhatARealRunDoes) {
  expect_as_real({});
  expect_as_real({.axes = {.context = 2}, .shard = "full", .activations = "recompute", .precision = "bf16"});
  expect_as_real({.axes = {.ulysses = 2},
                  .activations = "offload",
                  .head_groups = 2,
                  .to_file = true,
                  .tile = 32,
                  .moments = "bf16"});
  const auto seed = test_seed();
  std::mt19937_64 random(seed);
  for (int i = 0; i < 6; ++i) {
    SCOPED_TRACE(::testing::Message() << "seed " << seed << ", draw " << i);
    expect_as_real(random_case(random));
  }
}

TEST(DryRun, LeavesTheRunAroundItAlone) {
  const Problem problem = define_problem(parse_recipe(recipe({}), "test"));
  Ledger ledger;
  const MemoryWatch watch(ledger);
  const Booked before = ledger.now();
  dry_run(problem.options, problem.shape, {});
  const at::Tensor mine = at::ones({1000});
  EXPECT_EQ(ledger.now().total(), before.total() + 4000);
}

TEST(DryRun, RefusesRanksAndLayoutsThatAreNot) {
  const Problem problem = define_problem(parse_recipe(recipe({}), "test"));
  EXPECT_THROW(dry_run(problem.options, problem.shape, {4, 4}), std::invalid_argument);
  EXPECT_THROW(dry_run(problem.options, problem.shape, {4, -1}), std::invalid_argument);
  EXPECT_THROW(dry_run(problem.options, problem.shape, {0, 0}), std::invalid_argument);
  EXPECT_THROW(dry_run(problem.options, problem.shape, {2, 0}), std::invalid_argument) << "all degrees are 1";
}

}  // namespace
}  // namespace graticule

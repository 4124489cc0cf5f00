// Tests that every scheme gives the output and gradients of one rank, also for sizes that the ranks do not
// divide.

#include <ATen/core/Tensor.h>
#include <cmath>

#include "graticule/kernel/flash_cpu.h"
#include "tests/attention/scheme_cases.h"
#include "tests/seed.h"

namespace graticule {
namespace {

Problem in_dtype(const Problem& x, at::ScalarType dtype) {
  return {x.q.to(dtype), x.k.to(dtype), x.v.to(dtype), x.dout.to(dtype)};
}

Tensors run_scheme(const Case& c, const Problem& problem) {
  return over_ranks(
      c, [&](const Mesh& mesh, const Span& span) { return run(attention_of(c, mesh), problem, span); });
}

void expect_equal_to_one_rank(const Case& c, uint64_t seed) {
  SCOPED_TRACE(::testing::Message() << c << ", seed " << seed);
  const Problem problem = random_problem(c, seed);
  expect_equal(run_scheme(c, problem), run_alone(problem));
}

// dk and dv are sums over the query heads of a key/value head. Returns the root mean square of such a sum if
// its terms were independent.
std::vector<double> parts_of_key_gradients(const Problem& x) {
  const int64_t queries = x.q.size(2) / x.k.size(2);
  const auto whole =
      run_alone({x.q, x.k.repeat_interleave(queries, 2), x.v.repeat_interleave(queries, 2), x.dout});
  std::vector<double> parts;
  for (size_t i : {2, 3}) parts.push_back(std::sqrt(whole[i].square().mean().item<double>() * queries));
  return parts;
}

// Compares with fp32 on the same bf16 values, in the root mean square. The error of a scheme may be that of
// one rank. Two roundings may add to it: that of the gradients which ranks send if several ulysses ranks
// share a key/value head; and, if ATen's kernel computes (CPUs without AVX2), that of a ring's partial results
// and of their sum.
void expect_rounding_of_one_rank(const Case& c, uint64_t seed) {
  SCOPED_TRACE(::testing::Message() << c << ", seed " << seed);
  const Problem problem = in_dtype(random_problem(c, seed), at::kBFloat16);
  const Problem wide = in_dtype(problem, at::kFloat);
  const auto exact = run_alone(wide), whole = run_alone(problem), joined = run_scheme(c, problem);
  const auto parts = parts_of_key_gradients(wide);
  const bool rounds_parts = c.context > 1 && cpu_level(at::kBFloat16) == CpuLevel::aten;
  const double roundings = 1.05 * (rounds_parts ? std::sqrt(2.0) : 1);
  for (size_t i = 0; i < 4; ++i) {
    ASSERT_EQ(joined[i].scalar_type(), at::kBFloat16);
    const auto error = [&](const at::Tensor& x) {
      return (x.to(at::kFloat) - exact[i]).square().mean().sqrt().item<double>();
    };
    const bool shared = i >= 2 && c.ulysses > 1 && c.heads > c.key_heads;
    EXPECT_LT(error(joined[i]), roundings * error(whole[i]) + (shared ? parts[i - 2] / 256 : 0)) << names[i];
  }
}

TEST(Schemes, EqualOneRankAtAwkwardSizes) {
  const auto lss = ContextMethod::lss, ring = ContextMethod::ring, mesh = ContextMethod::mesh;
  const Case cases[] = {
      // two ranks share a key head, evenly and not
      {1, 4, 1, 8, 2, 8, {9, 8, 8, 8}, lss, 2},
      {1, 4, 2, 6, 3, 4, {5, 1, 2, 9}, lss, 3, 0, false},
      // heads 3 of one key head and 1 of the next
      {1, 3, 2, 12, 4, 4, {10, 11, 3}, lss, 1},
      {1, 3, 1, 12, 4, 4, {10, 11, 3}, lss, 2, 0, false},
      {2, 3, 1, 12, 4, 4, {10, 11, 3, 1, 0, 7}, lss, 2, 1},
      // more ranks than heads
      {1, 5, 1, 3, 3, 5, {4, 4, 4, 3, 3}, lss, 4},
      {2, 4, 2, 3, 1, 5, {4, 4, 4, 3, 3, 0, 2, 8}, ring, 2},
      // ranks without tokens, a whole context coordinate of them
      {4, 1, 1, 3, 3, 8, {0, 7, 0, 12}, ring},
      {4, 1, 2, 4, 2, 8, {0, 7, 0, 12}, lss, 1, 1},
      {3, 2, 1, 4, 4, 8, {5, 6, 0, 0, 7, 0}, ring, 2, 0, false},
      {5, 1, 1, 2, 1, 3, {2, 2, 1, 1, 1}, ring},
      {1, 1, 2, 6, 2, 8, {31}, ring, 3, 2, false},
      // backward of the query side, with a rank without tokens
      {4, 1, 2, 3, 3, 8, {0, 7, 1, 12}, lss, 1, 2},
      {3, 1, 2, 3, 3, 256, {5, 0, 4}, ring},
      // grids whose rows or columns have no tokens, lines, and strides
      {6, 1, 1, 4, 4, 8, {0, 0, 0, 7, 2, 5}, mesh, 1, 1, true, 2},
      {6, 1, 2, 6, 2, 5, {0, 7, 0, 2, 0, 5}, mesh, 1, 0, true, 2},
      {8, 1, 1, 4, 1, 16, {1, 0, 3, 2, 9, 0, 0, 1}, mesh, 1, 0, true, 4},
      {5, 1, 2, 3, 3, 8, {4, 0, 3, 2, 9}, mesh, 1, 2},
      {3, 1, 1, 4, 2, 8, {4, 5, 3}, mesh, 1, 0, true, 1},
      {4, 2, 2, 8, 4, 8, {4, 0, 3, 2, 9, 1, 1, 6}, mesh, 2, 1, false, 2},
      {4, 1, 1, 2, 2, 256, {30, 41, 5, 17}, mesh},
  };
  for (const Case& c : cases) expect_equal_to_one_rank(c, 1);
}

TEST(Schemes, EqualOneRankAtRandomSizes) {
  const auto seed = test_seed();
  Draw draw(seed);
  for (int i = 0; i < 60; ++i) expect_equal_to_one_rank(random_case(draw, 30, 24), seed);
}

TEST(Schemes, RoundAsOneRankInBfloat16) {
  const auto seed = test_seed();
  Draw draw(seed);
  for (int i = 0; i < 12; ++i) {
    Case c = random_case(draw, 60, 32);
    for (int64_t& tokens : c.tokens_of) tokens += 40;  // enough numbers for a mean
    expect_rounding_of_one_rank(c, seed);
  }
}

TEST(Schemes, RefuseNoGroups) {
  EXPECT_THROW(make_attention({.tokens_of = {4}, .exchange = {.head_groups = 0}}), std::invalid_argument);
  EXPECT_THROW(make_attention({.tokens_of = {4}, .exchange = {.gather_heads = -1}}), std::invalid_argument);
}

}  // namespace
}  // namespace graticule

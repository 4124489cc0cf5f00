// Tests the phases of schemes: several groups of heads, with the exchange of one during the attention of
// another, give the result of one rank. Between forward and backward only the tensors that a scheme promises
// stay.

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>

#include <optional>

#include "graticule/attention/schemes.h"
#include "tests/attention/scheme_cases.h"
#include "tests/seed.h"

namespace graticule {
namespace {

// Runs the phases of all groups in the order of scheme.h. Returns the results in the order of the groups.
template <class Result, class Start>
std::vector<Result> in_turns(size_t groups, const Start& start) {
  std::vector<Result> results;
  Attend<Result> next = start(0);
  Finish<Result> last;
  for (size_t i = 0; i < groups; ++i) {
    Attend<Result> attend = std::exchange(next, nullptr);
    if (i + 1 < groups) next = start(i + 1);
    Finish<Result> finish = std::exchange(attend, nullptr)();
    if (last) results.push_back(last());
    last = std::move(finish);
  }
  results.push_back(last());
  return results;
}

std::vector<Span> uneven_groups(int64_t key_heads, Draw& draw) {
  std::vector<Span> groups;
  for (int64_t head = 0; head < key_heads; head = groups.back().end) {
    groups.push_back({head, head + draw(1, key_heads - head)});
  }
  return groups;
}

struct Groups {
  std::vector<Span> keys;
  int64_t queries_a_key;
  Span tokens;

  at::Tensor key(const at::Tensor& x, size_t i) const { return cut(x, keys[i]); }
  at::Tensor query(const at::Tensor& x, size_t i) const {
    return cut(x, {keys[i].begin * queries_a_key, keys[i].end * queries_a_key});
  }

 private:
  at::Tensor cut(const at::Tensor& x, const Span& heads) const {
    return x.narrow(1, tokens.begin, tokens.size()).narrow(2, heads.begin, heads.size());
  }
};

// out, dq, dk, dv of this rank's tokens. `by_tokens`: only out and the log-sum-exps are kept for backward.
Tensors run_in_groups(const Scheme& scheme, const Problem& x, const Groups& groups, bool by_tokens) {
  const at::NoGradGuard no_gradients;
  auto forwards = in_turns<Forwarded>(groups.keys.size(), [&](size_t i) {
    return scheme.start_forward(groups.query(x.q, i), groups.key(x.k, i), groups.key(x.v, i));
  });
  if (by_tokens) {
    for (Forwarded& forward : forwards) {
      auto& tensors = forward.saved.tensors;
      EXPECT_TRUE(tensors[3].is_same(forward.out_BTHD));
      tensors.erase(tensors.begin(), tensors.begin() + 3);
    }
  }
  const auto gradients = in_turns<FlashGradients>(groups.keys.size(), [&](size_t i) {
    const Saved& kept = forwards[i].saved;
    const Saved saved = by_tokens ? saved_by_tokens(groups.query(x.q, i), groups.key(x.k, i),
                                                    groups.key(x.v, i), kept.tensors)
                                  : kept;
    return scheme.start_backward(groups.query(x.dout, i), saved);
  });
  std::vector<Tensors> joined(4);
  for (size_t i = 0; i < groups.keys.size(); ++i) {
    joined[0].push_back(forwards[i].out_BTHD);
    joined[1].push_back(gradients[i].dq_BTHD);
    joined[2].push_back(gradients[i].dk_BSGD);
    joined[3].push_back(gradients[i].dv_BSGD);
  }
  return {at::cat(joined[0], 2), at::cat(joined[1], 2), at::cat(joined[2], 2), at::cat(joined[3], 2)};
}

using SchemeOf = std::function<Scheme(const Mesh&)>;

void expect_groups_equal_one_rank(const Case& c, uint64_t seed, Draw& draw, bool by_tokens,
                                  const SchemeOf& scheme_of) {
  const std::vector<Span> keys = uneven_groups(c.key_heads, draw);
  SCOPED_TRACE(::testing::Message() << c << ", " << keys.size() << " groups, seed " << seed);
  const Problem problem = random_problem(c, seed);
  const Tensors ours = over_ranks(c, [&](const Mesh& mesh, const Span& tokens) {
    return run_in_groups(scheme_of(mesh), problem, {keys, c.heads / c.key_heads, tokens}, by_tokens);
  });
  expect_equal(ours, run_alone(problem));
}

TEST(Phases, OfGroupsOfHeadsInTurnEqualOneRank) {
  const auto lss = ContextMethod::lss, ring = ContextMethod::ring;
  std::vector<Case> cases = {
      {1, 1, 2, 8, 4, 5, {17}},
      {1, 3, 1, 12, 4, 4, {10, 0, 3}},
      {1, 5, 2, 3, 3, 5, {4, 4, 0, 3, 3}},
      {4, 1, 2, 6, 6, 8, {0, 7, 0, 12}, lss},
      {3, 1, 1, 10, 5, 8, {5, 1, 9}, lss, 1, 1},
      {5, 1, 1, 12, 3, 3, {2, 0, 1, 1, 9}, ring},
      {2, 2, 2, 12, 4, 5, {4, 0, 7, 1}, lss, 2, 1},
      {2, 2, 1, 15, 5, 6, {0, 0, 7, 1}, ring},
      {4, 2, 2, 5, 5, 6, {0, 0, 7, 1, 3, 2, 2, 0}, ContextMethod::mesh, 1, 2},
  };
  const auto seed = test_seed();
  Draw draw(seed);
  for (int i = 0; i < 40; ++i) cases.push_back(random_case(draw, 30, 24));
  for (const Case& c : cases) {
    expect_groups_equal_one_rank(c, seed, draw, true,
                                 [&](const Mesh& mesh) { return attention_of(c, mesh).by_tokens; });
  }
}

// One call that cuts its heads into groups itself, with tensors kept in token layout or in head layout.
TEST(Phases, OfUlyssesWithItsOwnGroupsEqualOneRank) {
  const auto seed = test_seed();
  Draw draw(seed);
  for (int i = 0; i < 20; ++i) {
    Case c = random_case(draw, 30, 24);
    c.ulysses *= c.context, c.context = 1, c.mesh_rows = 0;
    const bool by_tokens = draw(0, 1) == 0;
    expect_groups_equal_one_rank(c, seed, draw, by_tokens, [&](const Mesh& mesh) {
      return ulysses_scheme(mesh.ulysses, c.tokens_of,
                            {.head_groups = c.head_groups, .keep_exchanged = !by_tokens}, local_scheme());
    });
  }
}

class DroppedPhases : public ::testing::TestWithParam<Case> {};

// If all ranks drop a call (as after an error), the group still works.
TEST_P(DroppedPhases, LeaveTheGroupAtWork) {
  const Case c = GetParam();
  const Problem problem = random_problem(c, 1);
  const Tensors ours = over_ranks(c, [&](const Mesh& mesh, const Span& tokens) {
    const Attention attention = attention_of(c, mesh);
    const auto cut = [&](const at::Tensor& x) { return x.narrow(1, tokens.begin, tokens.size()); };
    attention.by_tokens.start_forward(cut(problem.q), cut(problem.k), cut(problem.v));
    attention.by_tokens.start_forward(cut(problem.q), cut(problem.k), cut(problem.v))();
    return run(attention, problem, tokens);
  });
  expect_equal(ours, run_alone(problem));
}

INSTANTIATE_TEST_SUITE_P(Schemes, DroppedPhases,
                         ::testing::Values(Case{1, 3, 1, 12, 4, 4, {10, 11, 3}},
                                           Case{
                                               4, 1, 1, 3, 3, 4, {10, 11, 3, 1}, ContextMethod::mesh, 1, 1}));

}  // namespace
}  // namespace graticule

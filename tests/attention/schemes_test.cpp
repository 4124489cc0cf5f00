// Every scheme equals one rank, forward and gradients, whatever does not divide.

#include <gtest/gtest.h>

#include <random>

#include "graticule/attention/attention.h"
#include "graticule/comm/mesh.h"
#include "tests/ranks.h"

namespace graticule {
namespace {

struct Case {
  Axes axes;
  int64_t batch, tokens, heads, key_heads, width;
};

std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << "context " << c.axes.context << " x ulysses " << c.axes.ulysses << ", B " << c.batch << ", S "
             << c.tokens << ", H " << c.heads << ", G " << c.key_heads << ", D " << c.width;
}

struct Problem {
  at::Tensor q, k, v, dout;
};

Problem random_problem(const Case& c, uint64_t seed) {
  auto generator = at::detail::createCPUGenerator(seed);
  const auto draw = [&](int64_t heads) {
    return at::randn({c.batch, c.tokens, heads, c.width}, generator, at::kFloat);
  };
  return {draw(c.heads), draw(c.key_heads), draw(c.key_heads), draw(c.heads)};
}

// out, dq, dk, dv of the tokens in `span`.
std::vector<at::Tensor> run(const Attention& attention, const Problem& problem, const Span& span) {
  const auto cut = [&](const at::Tensor& all) { return all.narrow(1, span.begin, span.size()).clone(); };
  const at::Tensor q = cut(problem.q).requires_grad_(), k = cut(problem.k).requires_grad_(),
                   v = cut(problem.v).requires_grad_();
  const at::Tensor out = attention(q, k, v);
  torch::autograd::backward({out}, {cut(problem.dout)});
  return {out.detach(), q.grad(), k.grad(), v.grad()};
}

void expect_equal_to_one_rank(const Case& c, uint64_t seed) {
  SCOPED_TRACE(::testing::Message() << c << ", seed " << seed);
  const Problem problem = random_problem(c, seed);
  const auto whole = run(local_attention(), problem, {0, c.tokens});
  const int ranks = c.axes.world();
  std::vector<std::vector<at::Tensor>> parts(static_cast<size_t>(ranks));
  run_ranks(ranks, [&](const World& world) {
    const Mesh mesh = make_mesh(world, c.axes);
    const Attention attention = make_attention({c.tokens, ContextMethod::lss, mesh.context, mesh.ulysses});
    parts[static_cast<size_t>(world.rank)] =
        run(attention, problem, span_of(c.tokens, ranks, mesh.sequence.rank()));
  });
  const char* const names[] = {"out", "dq", "dk", "dv"};
  for (size_t i = 0; i < 4; ++i) {
    std::vector<at::Tensor> pieces;
    for (const auto& part : parts) pieces.push_back(part[i]);
    const double error =
        (at::cat(pieces, 1) - whole[i]).abs().max().item<double>() / whole[i].abs().max().item<double>();
    EXPECT_LT(error, 1e-5) << names[i];
  }
}

TEST(Schemes, EqualOneRankAtAwkwardSizes) {
  const Case cases[] = {
      {{1, 1, 1, 2, 1}, 1, 17, 3, 3, 8},  {{1, 1, 1, 3, 1}, 2, 31, 7, 7, 5},
      {{1, 1, 2, 1, 1}, 1, 13, 1, 1, 16}, {{1, 1, 3, 1, 1}, 2, 29, 4, 2, 8},
      {{1, 1, 2, 2, 1}, 1, 101, 5, 5, 8}, {{1, 1, 2, 4, 1}, 1, 67, 6, 6, 4},
      {{1, 1, 4, 2, 1}, 1, 53, 6, 2, 8},  {{1, 1, 1, 8, 1}, 1, 64, 8, 8, 4},
      {{1, 1, 5, 1, 1}, 1, 7, 2, 1, 3},
  };
  for (const Case& c : cases) expect_equal_to_one_rank(c, 1);
}

TEST(Schemes, EqualOneRankAtRandomSizes) {
  const auto seed = std::random_device{}();
  std::cout << "seed " << seed << "\n";
  std::mt19937_64 random(seed);
  const auto draw = [&](int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  };
  for (int i = 0; i < 12; ++i) {
    Case c;
    c.axes.context = static_cast<int>(draw(1, 3));
    c.axes.ulysses = static_cast<int>(draw(1, 3));
    c.key_heads = draw(1, 4);
    c.heads = c.key_heads * draw(1, 3);
    c.batch = draw(1, 2), c.tokens = draw(c.axes.world(), 120), c.width = draw(1, 24);
    expect_equal_to_one_rank(c, seed + static_cast<uint64_t>(i));
  }
}

// Sent by rank r for one tensor of q's form: B s_r (H - h_r) D e; forward sends q, k, v out and the output
// back.
TEST(Schemes, SendTheBytesOfTheClosedForms) {
  const int64_t B = 2, S = 101, H = 7, D = 4, e = 4;
  for (const int ranks : {2, 3}) {
    const auto tokens = span_sizes(S, ranks), heads = span_sizes(H, ranks);
    const Problem problem = random_problem({{}, B, S, H, H, D}, 3);
    run_ranks(ranks, [&](const World& world) {
      const auto r = static_cast<size_t>(world.rank);
      const Span mine = span_of(S, ranks, world.rank);
      const auto forward = [&](const Attention& attention) {
        const auto cut = [&](const at::Tensor& all) { return all.narrow(1, mine.begin, mine.size()); };
        attention(cut(problem.q), cut(problem.k), cut(problem.v));
      };
      const Mesh ulysses = make_mesh(world, {1, 1, 1, ranks, 1}), lss = make_mesh(world, {1, 1, ranks, 1, 1});
      forward(make_attention({S, ContextMethod::lss, ulysses.context, ulysses.ulysses}));
      EXPECT_EQ(ulysses.ulysses.traffic().bytes_sent,
                B * D * e * (3 * tokens[r] * (H - heads[r]) + (S - tokens[r]) * heads[r]));
      forward(make_attention({S, ContextMethod::lss, lss.context, lss.ulysses}));
      EXPECT_EQ(lss.context.traffic().bytes_sent, 2 * B * tokens[r] * H * D * e * (ranks - 1));
    });
  }
}

}  // namespace
}  // namespace graticule

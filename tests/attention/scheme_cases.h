// The cases for tests of schemes: sizes, ranks, and attention calls over ranks.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/randn.h>
#include <torch/csrc/autograd/autograd.h>

#include <gtest/gtest.h>

#include <numeric>
#include <random>

#include "graticule/attention/attention.h"
#include "graticule/comm/mesh.h"
#include "tests/ranks.h"

namespace graticule {

struct Case {
  int context, ulysses;
  int64_t batch, heads, key_heads, width;
  std::vector<int64_t> tokens_of;
  ContextMethod method = ContextMethod::lss;
  int64_t head_groups = 1, gather_heads = 0;
  bool keep_exchanged = true;
  int64_t mesh_rows = 0;

  ExchangeOptions exchange() const { return {method, head_groups, mesh_rows, gather_heads, keep_exchanged}; }
  ContextGrids grids() const {
    return context_grids(exchange(), context,
                         {.queries = heads, .keys = key_heads, .width = width, .element = 4});
  }
};

inline std::ostream& operator<<(std::ostream& out, const Case& c) {
  const ContextGrid backward = c.grids().backward;
  return out << "context " << c.context << " by " << name_of(c.method) << ", backward " << backward.queries
             << " x " << backward.keys << ", ulysses " << c.ulysses << ", B " << c.batch << ", tokens "
             << ::testing::PrintToString(c.tokens_of) << ", H " << c.heads << ", G " << c.key_heads << ", D "
             << c.width << ", head_groups " << c.head_groups << ", gather_heads " << c.gather_heads
             << (c.keep_exchanged ? ", kept" : ", not kept");
}

struct Problem {
  at::Tensor q, k, v, dout;
};

inline Problem random_problem(const Case& c, uint64_t seed) {
  auto generator = at::detail::createCPUGenerator(seed);
  const int64_t tokens = std::accumulate(c.tokens_of.begin(), c.tokens_of.end(), int64_t{0});
  const auto draw = [&](int64_t heads) {
    return at::randn({c.batch, tokens, heads, c.width}, generator, at::kFloat);
  };
  return {draw(c.heads), draw(c.key_heads), draw(c.key_heads), draw(c.heads)};
}

using Tensors = std::vector<at::Tensor>;

/// Runs body(mesh, this rank's tokens) on all ranks of the case, and joins the tensors [B, T, ...] that it
/// returns.
inline Tensors over_ranks(const Case& c, const std::function<Tensors(const Mesh&, const Span&)>& body) {
  const size_t ranks = c.tokens_of.size();
  std::vector<Tensors> parts(ranks);
  run_ranks(static_cast<int>(ranks), [&](const World& world) {
    const Mesh mesh = make_mesh(world, {1, 1, c.context, c.ulysses, 1}, 0, c.grids().forward);
    const auto place = c.tokens_of.begin() + mesh.sequence.rank();
    const int64_t first = std::accumulate(c.tokens_of.begin(), place, int64_t{0});
    parts[static_cast<size_t>(mesh.sequence.rank())] = body(mesh, {first, first + *place});
  });
  Tensors joined;
  for (size_t i = 0; i < parts[0].size(); ++i) {
    Tensors pieces;
    for (const auto& part : parts) pieces.push_back(part[i]);
    joined.push_back(at::cat(pieces, 1));
  }
  return joined;
}

inline Attention attention_of(const Case& c, const Mesh& mesh) {
  return make_attention({.tokens_of = c.tokens_of,
                         .context = mesh.context,
                         .ulysses = mesh.ulysses,
                         .context_queries = mesh.context_queries,
                         .context_keys = mesh.context_keys,
                         .grids = c.grids(),
                         .exchange = c.exchange()});
}

/// out, dq, dk, dv of the tokens in `span`, by autograd.
inline Tensors run(const Attention& attention, const Problem& problem, const Span& span) {
  const auto cut = [&](const at::Tensor& all) { return all.narrow(1, span.begin, span.size()).clone(); };
  const at::Tensor q = cut(problem.q).requires_grad_(), k = cut(problem.k).requires_grad_(),
                   v = cut(problem.v).requires_grad_();
  const at::Tensor out = attention(q, k, v);
  torch::autograd::backward({out}, {cut(problem.dout)});
  return {out.detach(), q.grad(), k.grad(), v.grad()};
}

inline Tensors run_alone(const Problem& problem) {
  return run(local_attention(), problem, {0, problem.q.size(1)});
}

constexpr const char* names[] = {"out", "dq", "dk", "dv"};

inline void expect_equal(const Tensors& ours, const Tensors& whole) {
  for (size_t i = 0; i < 4; ++i) {
    const double error =
        (ours[i] - whole[i]).abs().max().item<double>() / whole[i].abs().max().item<double>();
    EXPECT_LT(error, 1e-5) << names[i];
  }
}

class Draw {
 public:
  explicit Draw(uint64_t seed) : random_(seed) {}
  int64_t operator()(int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random_);
  }

 private:
  std::mt19937_64 random_;
};

// Up to 8 ranks; a rank in five has no token.
inline Case random_case(Draw& draw, int64_t most_tokens, int64_t most_width) {
  Case c;
  c.context = static_cast<int>(draw(1, 8));
  c.ulysses = static_cast<int>(draw(1, 8 / c.context));
  c.key_heads = draw(1, 6);
  c.heads = c.key_heads * draw(1, 4);
  c.batch = draw(1, 2), c.width = draw(1, most_width);
  for (int r = 0; r < c.context * c.ulysses; ++r) {
    c.tokens_of.push_back(draw(0, 4) == 0 ? 0 : draw(1, most_tokens));
  }
  c.tokens_of[static_cast<size_t>(draw(0, std::ssize(c.tokens_of) - 1))] += 8;
  c.method = choices_of<ContextMethod>[draw(0, 2)].value;
  do {
    c.mesh_rows = draw(0, c.context);
  } while (c.mesh_rows > 0 && c.context % c.mesh_rows != 0);
  c.head_groups = draw(1, 4), c.gather_heads = draw(0, 3), c.keep_exchanged = draw(0, 1) == 0;
  return c;
}

}  // namespace graticule

// Tests that a transformer block over the tensor axis gives the output and gradients of one rank.

#include "graticule/model/block.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <numeric>

#include "graticule/comm/mesh.h"
#include "tests/ranks.h"

namespace graticule {
namespace {

/// The form of queries and keys: aimed and rotary with cosine norms and, on 3 variables, their embeddings.
enum Form { plain, layered, aimed, rotary };

struct Case {
  int context;                     ///< ranks of lss; each has a tensor group of its own
  std::vector<int64_t> tokens_of;  ///< one entry a rank, tensor neighbours adjacent
  int64_t batch, heads, key_heads, head_dim;
  double mlp_ratio;
  Form form;
  bool deferred;
  int64_t tile = 4096, head_groups = 0;  ///< of the lean pair; 0 groups: by autograd
  bool memo = false;                     ///< the lean pair keeps attention's output
  int64_t tokens() const { return std::accumulate(tokens_of.begin(), tokens_of.end(), int64_t{0}); }
  int64_t tensor() const { return std::ssize(tokens_of) / context; }
};

std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << "context " << c.context << ", tokens " << at::IntArrayRef(c.tokens_of) << ", B " << c.batch
             << ", H " << c.heads << ", G " << c.key_heads << ", D " << c.head_dim << ", MLP " << c.mlp_ratio
             << ", form " << c.form << ", deferred " << c.deferred << ", tiles of " << c.tile << ", "
             << c.head_groups << " groups of heads, memo " << c.memo;
}

ModelShape shape_of(const Case& c) {
  ModelShape shape;
  shape.dim = c.heads * c.head_dim, shape.heads = c.heads, shape.kv_heads = c.key_heads;
  shape.mlp_ratio = c.mlp_ratio;
  if (c.form == layered) shape.qk_norm = QkNorm::layer;
  if (c.form == aimed) shape.place = PlaceForm::aimed;
  if (c.form == rotary) shape.place = PlaceForm::rotary;
  if (c.form == aimed || c.form == rotary) shape.qk_norm = QkNorm::cosine, shape.qk_variables = true;
  // 3 variables on a grid of 4 rows that has at least these tokens.
  shape.grid = {TokenMode::full, 3, 4, c.tokens() / 12 + 1, 1};
  shape.depth = 3, shape.drop_path = 0.4;
  return shape;
}

struct Result {
  std::vector<Parameter> parameters;
  at::Tensor y_BTC, dx_BTC;
  std::vector<at::Tensor> gradients;  ///< one a parameter, this rank's part
};

/// The block on tokens `mine` of x_BSC, its whole weights drawn from `seed`; run twice, first as
/// recomputation does.
Result run(const Case& c, const Block& block, const Span& mine, uint64_t seed) {
  auto generator = at::detail::createCPUGenerator(seed);
  const auto draw = [&](at::IntArrayRef sizes) { return at::randn(sizes, generator, at::kFloat); };
  const int64_t width = c.heads * c.head_dim;
  const at::Tensor x_BSC = draw({c.batch, c.tokens(), width}), dy_BSC = draw({c.batch, c.tokens(), width});
  const auto cut = [&](const at::Tensor& all) { return all.narrow(1, mine.begin, mine.size()).clone(); };
  Weights weights;
  for (const Parameter& parameter : block.parameters) {
    const at::Tensor whole = draw(parameter.shape).mul_(0.3);
    weights.add(parameter.name, cut_of(parameter, whole).requires_grad_());
  }
  Inputs inputs;
  inputs.training = true, inputs.seed = 4;
  for (int64_t b = 0; b < c.batch; ++b) inputs.sample_ids.push_back(b);
  if (c.deferred) inputs.deferred = std::make_shared<DeferredGradients>();
  const at::Tensor x = cut(x_BSC).requires_grad_();
  at::Tensor y, dx;
  if (c.head_groups > 0) {
    Memo memo;
    y = block.lean->forward(weights, x, inputs, c.memo ? &memo : nullptr);
    dx = block.lean->backward(weights, x, cut(dy_BSC), inputs, c.memo ? &memo : nullptr, true);
  } else {
    {
      const at::NoGradGuard no_grad;
      block.run(weights, x, inputs);
    }
    y = block.run(weights, x, inputs);
    torch::autograd::backward({y}, {cut(dy_BSC)});
    dx = x.grad();
  }
  Result result{block.parameters, y.detach(), dx.clone(), {}};
  if (c.deferred) inputs.deferred->run();
  for (const auto& [name, leaf] : weights.items()) result.gradients.push_back(leaf.grad());
  return result;
}

/// Equal to 1e-5 of the largest value of `scale`.
void expect_close(const at::Tensor& x, const at::Tensor& expected, const at::Tensor& scale,
                  const std::string& name) {
  ASSERT_EQ(x.sizes(), expected.sizes()) << name;
  const double error = (x - expected).abs().max().item<double>() / scale.abs().max().item<double>();
  EXPECT_LT(error, 1e-5) << name;
}

void expect_equal_to_one_rank(const Case& c, uint64_t seed) {
  SCOPED_TRACE(::testing::Message() << c);
  const ModelShape shape = shape_of(c);
  const auto ranks = static_cast<int>(c.tokens_of.size());
  Case alone = c;
  alone.head_groups = 0;
  const Result one =
      run(alone, transformer_block(shape, 1, {0, c.tokens()}, local_attention()), {0, c.tokens()}, seed);
  std::vector<Result> of(static_cast<size_t>(ranks));
  run_ranks(ranks, [&](const World& world) {
    const Mesh mesh = make_mesh(world, {1, 1, c.context, 1, static_cast<int>(c.tensor())});
    const auto begin = c.tokens_of.begin();
    std::vector<int64_t> of_group(static_cast<size_t>(c.context));
    for (int r = 0; r < ranks; ++r)
      of_group[static_cast<size_t>(r / c.tensor())] += c.tokens_of[static_cast<size_t>(r)];
    const auto group = begin + mesh.context.rank() * c.tensor();
    const TensorLayers layers{mesh.tensor, {group, group + c.tensor()}};
    const int64_t first = std::accumulate(begin, begin + world.rank, int64_t{0});
    const auto rank = static_cast<size_t>(world.rank);
    const Attention attention =
        make_attention({.tokens_of = of_group,
                        .context = mesh.context,
                        .grids = {{1, c.context}, {c.context, 1}},
                        .exchange = {.head_groups = std::max<int64_t>(1, c.head_groups)}});
    const Span mine{first, first + c.tokens_of[rank]};
    of[rank] = run(c, transformer_block(shape, 1, mine, attention, layers, c.tile), mine, seed);
  });
  std::vector<at::Tensor> y, dx;
  for (const Result& result : of) y.push_back(result.y_BTC), dx.push_back(result.dx_BTC);
  expect_close(at::cat(y, 1), one.y_BTC, one.y_BTC, "y");
  expect_close(at::cat(dx, 1), one.dx_BTC, one.dx_BTC, "dx");
  // Each rank's gradient is put at its place, and the places are added. So cut parameters are summed over the
  // context ranks, and whole ones over all ranks.
  for (size_t i = 0; i < one.parameters.size(); ++i) {
    const at::Tensor whole = at::zeros(one.parameters[i].shape);
    for (const Result& result : of) {
      const Parameter& parameter = result.parameters[i];
      ASSERT_EQ(parameter.name, one.parameters[i].name);
      ASSERT_EQ(result.gradients[i].sizes(), at::IntArrayRef(parameter.local_shape()));
      const at::Tensor placed = at::zeros(parameter.shape);
      place(parameter, result.gradients[i], placed);
      whole.add_(placed);
    }
    // A bias of all keys shifts all scores of a query alike, so its exact gradient is 0: measure it by its
    // weight's.
    const bool vanishes = one.parameters[i].name == "attention.k_norm.bias";
    expect_close(whole, one.gradients[i], one.gradients[vanishes ? i - 1 : i], one.parameters[i].name);
  }
}

TEST(Block, OverTheTensorAxisEqualsOneRank) {
  for (const bool deferred : {false, true}) {
    const Case cases[] = {
        {1, {3, 2}, 2, 7, 7, 4, 2.6, plain, deferred},
        {1, {2, 2, 1}, 1, 7, 7, 4, 2.6, layered, deferred},
        {1, {335, 334, 334}, 1, 7, 7, 8, 1.3, plain, deferred},
        {1, {6, 5, 6}, 2, 8, 4, 4, 1.7, layered, deferred},
        {1, {1, 0, 1}, 2, 4, 4, 4, 0.07, layered, deferred},  // 1 hidden unit: two ranks hold none
        {2, {4, 3, 3, 3}, 2, 6, 3, 4, 2.3, layered, deferred},
        {1, {13, 12, 12}, 2, 7, 7, 7, 1.3, aimed, deferred},
        {2, {10, 9, 9, 0}, 1, 6, 3, 16, 1.3, aimed, deferred},
        {1, {21, 20}, 2, 5, 5, 6, 1.3, rotary, deferred},
    };
    for (const Case& c : cases) expect_equal_to_one_rank(c, 1);
  }
}

// Tiles and groups of heads that do not divide the sizes, with attention's output kept or recomputed.
TEST(Block, LeanPairEqualsAutograd) {
  for (const bool memo : {false, true}) {
    const Case cases[] = {
        {1, {11}, 2, 7, 7, 4, 2.6, layered, false, 3, 3, memo},
        {1, {9}, 1, 6, 2, 8, 1.3, plain, false, 4096, 5, memo},
        {1, {3, 2}, 2, 7, 7, 4, 2.6, layered, false, 2, 1, memo},
        {1, {335, 334, 334}, 1, 7, 7, 8, 1.3, plain, false, 100, 2, memo},
        {1, {6, 5, 7}, 2, 8, 4, 4, 1.7, layered, false, 4, 2, memo},
        {1, {1, 0, 1}, 2, 4, 4, 4, 0.07, layered, false, 1, 1, memo},
        {3, {4, 0, 9}, 2, 6, 3, 4, 2.3, layered, false, 3, 2, memo},
        {2, {4, 3, 3, 3}, 2, 6, 3, 4, 2.3, layered, false, 2, 2, memo},
        {1, {40}, 2, 6, 3, 12, 1.3, aimed, false, 7, 2, memo},
        {1, {13, 12, 12}, 2, 7, 7, 7, 1.3, aimed, false, 5, 3, memo},
        {2, {10, 9, 9, 0}, 1, 6, 3, 16, 1.3, aimed, false, 4, 1, memo},
        {2, {11, 10, 10, 10}, 2, 6, 6, 6, 1.3, rotary, false, 3, 3, memo},
    };
    for (const Case& c : cases) expect_equal_to_one_rank(c, 1);
  }
}

// Forward: each pair of layers gathers my tokens' rows and scatters the others'; backward: dy is gathered, x
// is gathered again, dx scattered. Evenly spread that is 2 (T - 1) / T A forward, 3 (T - 1) / T A backward, a
// pair.
TEST(Block, OverTheTensorAxisSendsTheBytesOfTheClosedForm) {
  for (const bool deferred : {false, true}) {
    for (const auto& tokens_of : {std::vector<int64_t>{4, 4, 4}, {5, 4, 4}, {7, 0, 3}}) {
      const Case c{1, tokens_of, 2, 7, 7, 4, 2.6, layered, deferred};
      run_ranks(3, [&](const World& world) {
        const TensorLayers layers{group_of_all(world), tokens_of};
        const Block block = transformer_block(shape_of(c), 1, {}, local_attention(), layers);
        const auto begin = tokens_of.begin();
        const int64_t first = std::accumulate(begin, begin + world.rank, int64_t{0});
        const int64_t t = tokens_of[static_cast<size_t>(world.rank)];
        run(c, block, {first, first + t}, 1);
        const int64_t row = c.batch * 28 * int64_t{sizeof(float)};
        const int64_t gather = row * 2 * t, scatter = row * (c.tokens() - t);
        const int64_t forward = 2 * (gather + scatter), backward = 2 * (2 * gather + scatter);
        EXPECT_EQ(layers.group.traffic().bytes_sent, 2 * forward + backward);  // forward ran twice
      });
    }
  }
}

TEST(Block, InitialWeightsDoNotDependOnTheTensorAxis) {
  const ModelShape shape = shape_of({1, {5}, 1, 8, 4, 8, 2.3, aimed, false});
  const Block whole = transformer_block(shape, 0, {}, local_attention());
  for (const Parameter& parameter : whole.parameters) EXPECT_FALSE(parameter.cut) << parameter.name;
  run_ranks(3, [&](const World& world) {
    const TensorLayers layers{group_of_all(world), {1, 1, 1}};
    const Block mine = transformer_block(shape, 0, {}, local_attention(), layers);
    for (size_t i = 0; i < whole.parameters.size(); ++i) {
      const Parameter& parameter = mine.parameters[i];
      EXPECT_EQ(parameter.shape, whole.parameters[i].shape);
      EXPECT_TRUE(at::equal(initial_values(parameter, parameter.name, 9),
                            cut_of(parameter, initial_values(whole.parameters[i], parameter.name, 9))))
          << parameter.name;
    }
  });
}

}  // namespace
}  // namespace graticule

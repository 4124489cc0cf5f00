// Compares queries and keys, and their gradients, with the formulas of docs/model.md under autograd, over
// random forms, heads, grids and ranges of tokens; and the loops over rows with ATen's operators.

#include "graticule/model/query_key.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/randn_like.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <numbers>
#include <random>

#include "graticule/model/query_key_form.h"
#include "tests/seed.h"

namespace graticule {
namespace {

struct Draw {
  ModelShape shape;
  std::vector<Span> tokens;
  int64_t batch, H, G;  ///< some of the shape's heads, as a rank or a group of heads has
};

Draw draw_of(std::mt19937_64& random) {
  const auto below = [&](int64_t n) { return static_cast<int64_t>(random() % static_cast<uint64_t>(n)); };
  Draw draw;
  ModelShape& shape = draw.shape;
  shape.grid = {choices_of<TokenMode>[random() % 3].value, 1 + below(4), 3 + below(20), 3 + below(40),
                1 + below(3)};
  shape.grid.kind = choices_of<GridKind>[random() % choices_of<GridKind>.size()].value;
  if (shape.grid.kind == GridKind::cells)
    set_cells(shape.grid, std::make_shared<Cells>(spiral_cells(20 + below(300))), 1 + below(5));
  if (shape.grid.kind == GridKind::volume) shape.grid.layers = 1 + below(5), shape.grid.rows = 3 + below(7);
  for (bool& periodic : shape.grid.periodic_axes) periodic = below(2) == 0;
  shape.kv_heads = 2 + below(3), shape.heads = shape.kv_heads * (1 + below(2));
  shape.dim = shape.heads * (narrowest_head(PlaceForm::aimed, 3) + below(30));
  shape.place = choices_of<PlaceForm>[random() % 3].value;
  shape.qk_norm = below(3) == 0 ? QkNorm::none : QkNorm::cosine, shape.qk_variables = below(3) > 0;
  draw.batch = 1 + below(2), draw.G = 1 + below(shape.kv_heads);
  draw.H = draw.G * shape.heads / shape.kv_heads;
  for (int64_t i = 1 + below(3); i > 0; --i) {
    const int64_t begin = below(shape.grid.tokens());
    draw.tokens.push_back({begin, begin + below(shape.grid.tokens() - begin + 1)});
  }
  return draw;
}

// The weights of some heads: random, the temperature near 1.
Weights weights_of(const Draw& draw) {
  Weights weights;
  for (const auto& [parameter, of_keys] : query_key_parameters(draw.shape)) {
    std::vector<int64_t> sizes = parameter.shape;
    sizes[0] = of_keys ? draw.G : draw.H;
    weights.add(parameter.name, at::randn(sizes).mul_(0.5).requires_grad_());
  }
  return weights;
}

// Of a token: the angles of the waves, and the rows of weights [H, V, K] that belong to its variable.
struct Token {
  at::Tensor cos_F, sin_F;
  int64_t variable;
};

// Of a run of cells: the direction of the mean of their unit vectors, east and north of the south pole.
std::pair<double, double> middle_of_run(const TokenGrid& grid, int64_t run) {
  const double degree = std::numbers::pi / 180;
  std::array<double, 3> sum{};
  for (int64_t i = run * grid.patch.rows; i < std::min((run + 1) * grid.patch.rows, grid.rows); ++i) {
    const double north = grid.cells->latitudes[static_cast<size_t>(i)] * degree,
                 east = grid.cells->longitudes[static_cast<size_t>(i)] * degree;
    sum[0] += std::cos(north) * std::cos(east), sum[1] += std::cos(north) * std::sin(east),
        sum[2] += std::sin(north);
  }
  return {std::atan2(sum[1], sum[0]),
          std::numbers::pi - std::acos(sum[2] / std::hypot(sum[0], sum[1], sum[2]))};
}

std::vector<Token> tokens_of(const Draw& draw) {
  const TokenGrid& grid = draw.shape.grid;
  const PlaceWaves waves = draw.shape.waves();
  std::vector<Token> tokens;
  for (const Span& span : draw.tokens) {
    for (int64_t token = span.begin; token < span.end; ++token) {
      const auto [variable, row, column, layer] = grid.locate(token);
      const auto at = [&](int64_t i, int64_t n, GridAxis axis) {
        if (grid.kind == GridKind::cells) {
          const auto [east, north] = middle_of_run(grid, token % grid.places());
          return axis == GridAxis::columns ? east : north;
        }
        return (grid.periodic(axis) ? 2 : 1) * std::numbers::pi * (static_cast<double>(i) + 0.5) /
               static_cast<double>(n);
      };
      std::vector<double> angles;
      for (const int64_t wave : waves.columns)
        angles.push_back(at(column, grid.patch_columns(), GridAxis::columns) * static_cast<double>(wave));
      for (const int64_t wave : waves.rows)
        angles.push_back(at(row, grid.patch_rows(), GridAxis::rows) * static_cast<double>(wave));
      for (const int64_t wave : waves.layers)
        angles.push_back(at(layer, grid.patch_layers(), GridAxis::layers) * static_cast<double>(wave));
      const at::Tensor angle_F = at::tensor(angles, at::kDouble);
      tokens.push_back({angle_F.cos().to(at::kFloat), angle_F.sin().to(at::kFloat), variable});
    }
  }
  return tokens;
}

// (x[f], x[F + f]) turned by the angles; later features stay.
at::Tensor turned(const at::Tensor& x_BHK, const Token& token) {
  const int64_t F = token.cos_F.size(0), rest = x_BHK.size(2) - 2 * F;
  const at::Tensor a = x_BHK.narrow(2, 0, F), b = x_BHK.narrow(2, F, F);
  return at::cat(
      {a * token.cos_F - b * token.sin_F, a * token.sin_F + b * token.cos_F, x_BHK.narrow(2, 2 * F, rest)},
      2);
}

// One token's q | k | v, [B, H + 2 G, D].
at::Tensor of_token(const Draw& draw, const Weights& weights, const at::Tensor& projected_BW,
                    const Token& token) {
  const ModelShape& shape = draw.shape;
  const int64_t D = shape.head_dim(), K = shape.content_dim(), E = D - K, H = draw.H, G = draw.G;
  const auto part = [&](int64_t first, int64_t heads, int64_t width) {
    return projected_BW.narrow(1, first, heads * width).unflatten(1, {heads, width});
  };
  const at::Tensor q_BHD = part(0, H, D), v = part(H * D + G * K, G, D);
  at::Tensor q = q_BHD.narrow(2, 0, K), k = part(H * D, G, K), aim = q_BHD.narrow(2, K, E);
  const double root = std::sqrt(static_cast<double>(D));
  if (shape.embedded_variables() > 1) {
    q = q + weights["attention.q_variable"].select(1, token.variable);
    k = k + weights["attention.k_variable"].select(1, token.variable);
  }
  if (shape.qk_norm == QkNorm::cosine) {
    const auto direction = [](const at::Tensor& x) { return x / (x.square().sum(-1, true) + 1e-6).sqrt(); };
    q = direction(q) * weights["attention.temperature"].exp().unsqueeze(1) * root, k = direction(k);
  }
  if (shape.place == PlaceForm::rotary) q = turned(q, token), k = turned(k, token);
  if (shape.place == PlaceForm::aimed) {
    const int64_t row = shape.embedded_variables() > 1 ? token.variable : 0;
    aim = turned((aim + weights["attention.aim"].select(1, row)) * root, token);
    q = at::cat({q, aim}, 2);
    k = at::cat({k, at::cat({token.cos_F, token.sin_F}).expand({k.size(0), G, E})}, 2);
  }
  return at::cat({q, k, v}, 1);
}

struct Result {
  at::Tensor out, dprojected;
  std::vector<at::Tensor> gradients;
};

Result result_of(const at::Tensor& out, const at::Tensor& dout, const at::Tensor& projected,
                 const Weights& weights) {
  torch::autograd::backward({out}, {dout});
  Result result{out.detach(), projected.grad().clone(), {}};
  projected.mutable_grad().reset();
  for (const auto& [name, weight] : weights.items()) {
    result.gradients.push_back(weight.grad().clone());
    weight.mutable_grad().reset();
  }
  return result;
}

void expect_close(const at::Tensor& x, const at::Tensor& expected, const std::string& name) {
  ASSERT_EQ(x.sizes(), expected.sizes()) << name;
  if (expected.numel() == 0) return;
  EXPECT_LE((x - expected).abs().max().item<double>(),
            2e-5 * std::max(1e-2, expected.abs().max().item<double>()))
      << name;
}

TEST(QueryKey, IsThatOfTheFormulas) {
  const auto seed = test_seed();
  std::mt19937_64 random(seed);
  at::manual_seed(seed);
  for (int i = 0; i < 40; ++i) {
    const Draw draw = draw_of(random);
    const ModelShape& shape = draw.shape;
    const std::vector<Token> tokens = tokens_of(draw);
    if (!shape.shapes_queries() || tokens.empty() || tokens.size() > 120) continue;
    SCOPED_TRACE(::testing::Message() << "seed " << seed << ", draw " << i << ": " << name_of(shape.place)
                                      << ", " << name_of(shape.qk_norm) << ", variables "
                                      << shape.embedded_variables() << ", D " << shape.head_dim() << ", E "
                                      << shape.place_features() << ", H " << draw.H << ", G " << draw.G);
    const Weights weights = weights_of(draw);
    const at::Tensor projected =
        at::randn({draw.batch, std::ssize(tokens), shape.projection_rows(draw.H, draw.G)}).requires_grad_();
    std::vector<at::Tensor> each;
    for (size_t t = 0; t < tokens.size(); ++t) {
      each.push_back(of_token(draw, weights, projected.select(1, static_cast<int64_t>(t)), tokens[t]));
    }
    const at::Tensor formulas = at::stack(each, 1), dout = at::randn_like(formulas);
    const Result expected = result_of(formulas, dout, projected, weights);
    const auto query_key = std::make_shared<const QueryKey>(query_key_of(shape));
    const Result got = result_of(queries_and_keys(query_key, weights, projected, draw.H, draw.tokens), dout,
                                 projected, weights);
    expect_close(got.out, expected.out, "q | k | v");
    expect_close(got.dprojected, expected.dprojected, "gradient of the projection");
    for (size_t w = 0; w < expected.gradients.size(); ++w)
      expect_close(got.gradients[w], expected.gradients[w], weights.items()[w].first);
  }
}

using FormResults = std::vector<std::pair<std::string, at::Tensor>>;

FormResults results_of(const Formed& y, const FormGradients& d) {
  return {{"q | k | v", y.heads_BTXD},     {"1 / length of q", y.of_q_BTH},
          {"1 / length of k", y.of_k_BTG}, {"gradient of the projection", d.projected_BTW},
          {"of_query", d.of_query_HVD},    {"of_key", d.of_key_GVK},
          {"temperature", d.log_scale_H}};
}

TEST(QueryKey, RowsAreTheOperatorsInFp32OnAnyNumberOfThreads) {
  const auto seed = test_seed();
  std::mt19937_64 random(seed);
  at::manual_seed(seed);
  const int threads = at::get_num_threads();
  for (int i = 0; i < 60; ++i) {
    const Draw draw = draw_of(random);
    if (!draw.shape.shapes_queries()) continue;
    const FormCall call{std::make_shared<const QueryKey>(query_key_of(draw.shape)), draw.tokens, nullptr,
                        draw.H, draw.G};
    int64_t T = 0;
    for (const Span& span : draw.tokens) T += span.size();
    for (const auto dtype : {at::kFloat, at::kBFloat16}) {
      SCOPED_TRACE(::testing::Message() << "seed " << seed << ", draw " << i << ", " << dtype);
      const auto drawn = [&](at::IntArrayRef sizes) { return at::randn(sizes).to(dtype); };
      FormWeights weights;
      if (call.adds_to_queries()) weights.of_query_HVD = drawn({call.H, call.V(), call.D()});
      if (call.adds_to_keys()) weights.of_key_GVK = drawn({call.G, call.V(), call.K()});
      if (call.cosine()) weights.scale_H = at::randn({call.H}).exp();
      const at::Tensor projected = drawn({draw.batch, T, draw.shape.projection_rows(call.H, call.G)}),
                       dheads = drawn({draw.batch, T, call.H + 2 * call.G, call.D()});
      const auto by_rows = [&](int n) {
        at::set_num_threads(n);
        const Formed y = form_by_rows(call, weights, projected);
        return results_of(y, form_by_rows_backward(call, weights.scale_H, y, dheads));
      };
      const FormResults rows = by_rows(1), again = by_rows(5);
      at::set_num_threads(threads);
      const auto wide = [](const at::Tensor& x) { return x.defined() ? x.to(at::kFloat) : x; };
      const FormWeights wider{wide(weights.of_query_HVD), wide(weights.of_key_GVK), weights.scale_H};
      const Formed y = form_by_operators(call, wider, wide(projected));
      // The derivative reads q and k as attention got them: rounded.
      const Formed rounded{wide(rows[0].second), y.of_q_BTH, y.of_k_BTG};
      const FormResults exact =
          results_of(y, form_by_operators_backward(call, weights.scale_H, rounded, wide(dheads)));
      for (size_t r = 0; r < rows.size(); ++r) {
        const auto& [name, x] = rows[r];
        ASSERT_EQ(x.defined(), exact[r].second.defined()) << name;
        if (!x.defined() || x.numel() == 0) continue;
        EXPECT_TRUE(at::equal(x, again[r].second)) << name;
        const double size = std::max(1.0, exact[r].second.abs().max().item<double>());
        EXPECT_LT((wide(x) - exact[r].second).abs().max().item<double>(),
                  (x.scalar_type() == at::kFloat ? 2e-5 : 5e-3) * size)
            << name;
      }
    }
  }
}

// The tokens' own places have the highest scores from the first step on, by the first head.
TEST(QueryKey, FirstHeadLooksAtItsOwnPlace) {
  ModelShape shape;
  shape.grid = {TokenMode::full, 3, 12, 20, 2}, shape.dim = 96, shape.heads = 4;
  shape.place = PlaceForm::aimed;
  const Weights weights = [&] {
    Weights first;
    for (const auto& [parameter, of_keys] : query_key_parameters(shape))
      first.add(parameter.name, initial_values(parameter, "blocks.0." + parameter.name, 1));
    return first;
  }();
  const int64_t S = shape.grid.tokens(), places = shape.grid.places();
  const auto query_key = std::make_shared<const QueryKey>(query_key_of(shape));
  const at::Tensor nothing = at::randn({1, S, shape.projection_rows(4, 4)}).zero_();
  const at::Tensor heads = queries_and_keys(query_key, weights, nothing, 4, {{0, S}})[0];
  for (const auto& [head, columns] : {std::pair<int64_t, int64_t>{0, 0}, {2, -1}, {3, 1}}) {
    const at::Tensor scores_SS = heads.select(1, head).matmul(heads.select(1, 4 + head).t());
    for (int64_t token = 0; token < S; ++token) {
      const int64_t Q = shape.grid.patch_columns(), place = token % places;
      const int64_t column = (place % Q + columns + Q) % Q, looked_at = place / Q * Q + column;
      const at::Tensor best = std::get<0>(scores_SS[token].max(0));
      EXPECT_NEAR(scores_SS[token][looked_at].item<double>(), best.item<double>(), 1e-3) << head;
    }
  }
}

}  // namespace
}  // namespace graticule

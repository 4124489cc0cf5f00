// Derivatives, with y = s x i, i = 1 / sqrt(|x|^2 + epsilon) and the upstream gradient dy:
//   dx = s i (dy - y (y dy) / s^2),   d log(s) = y dy
// They need y and i but not x, so attention's own copy of y serves. Turning by angles keeps lengths and
// products: its derivative turns back.

#include "graticule/model/query_key.h"

#include <ATen/ops/add.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/custom_function.h>

#include <array>
#include <cmath>
#include <numbers>
#include <tuple>

#include "graticule/core/error.h"

namespace graticule {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using Optional = std::optional<at::Tensor>;

constexpr double epsilon = 1e-6;

/// The data of one call.
struct Call : torch::CustomClassHolder {
  Call(std::shared_ptr<const QueryKey> of, std::vector<Span> ranges, int64_t queries, int64_t keys)
      : query_key(std::move(of)), tokens(std::move(ranges)), H(queries), G(keys), K(shape().content_dim()) {}
  std::shared_ptr<const QueryKey> query_key;
  std::vector<Span> tokens;
  int64_t H, G, K;

  const ModelShape& shape() const { return query_key->shape; }
  int64_t D() const { return shape().head_dim(); }
  /// Attention divides by sqrt(D); a score that needs no scale is multiplied by it here.
  double root() const { return std::sqrt(static_cast<double>(D())); }
  bool cosine() const { return shape().qk_norm == QkNorm::cosine; }
  PlaceForm form() const { return shape().place; }
  Waves waves(const at::Tensor& like) const {
    return waves_at(query_key->tables, shape().grid, tokens, like.options());
  }
  std::vector<VariableRun> runs(int64_t variables, int64_t T) const {
    if (variables == 1) return {{0, {0, T}}};
    return variable_runs(shape().grid, tokens);
  }
  at::Tensor content(const at::Tensor& x_BTHD) const { return x_BTHD.narrow(3, 0, K); }
  at::Tensor place(const at::Tensor& x_BTHD) const { return x_BTHD.narrow(3, K, D() - K); }
};

/// q, k, v as views: of the projection (keys have content alone) or of q | k | v.
struct Parts {
  at::Tensor q, k, v;
};

Parts parts_of_projection(const Call& call, const at::Tensor& x_BTW) {
  const auto part = [&](int64_t first, int64_t heads, int64_t width) {
    return x_BTW.narrow(2, first, heads * width).unflatten(2, {heads, width});
  };
  const int64_t H = call.H, G = call.G, D = call.D(), K = call.K;
  return {part(0, H, D), part(H * D, G, K), part(H * D + G * K, G, D)};
}

Parts parts_of_heads(const Call& call, const at::Tensor& x_BTXD) {
  return {x_BTXD.narrow(2, 0, call.H), x_BTXD.narrow(2, call.H, call.G),
          x_BTXD.narrow(2, call.H + call.G, call.G)};
}

/// `scale` times the pairs of features turned, in place: a, the first F features, and b, the next F, become
/// a cos - b sin and a sin + b cos. `back`: by the opposite angles.
void turn(const at::Tensor& x_BTHE, const Waves& waves, double scale, bool back = false) {
  const int64_t F = waves.cos.size(1);
  const at::Tensor pairs = x_BTHE.narrow(3, 0, 2 * F);
  const at::Tensor swapped = at::cat({pairs.narrow(3, F, F), pairs.narrow(3, 0, F)}, 3);
  const at::Tensor cos = at::cat({waves.cos, waves.cos}, 1).unsqueeze(1),
                   sin = at::cat({-waves.sin, waves.sin}, 1).unsqueeze(1);
  pairs.mul_(cos.mul_(scale)).addcmul_(swapped, sin, back ? -scale : scale);
}

/// x_BTHD plus the row of each token's variable, if there are such, into `out`.
void add_by_variable(const Call& call, const at::Tensor& x_BTHD, const Optional& of_HVD,
                     const at::Tensor& out) {
  if (!of_HVD) {
    out.copy_(x_BTHD);
    return;
  }
  for (const auto& [variable, tokens] : call.runs(of_HVD->size(1), x_BTHD.size(1))) {
    at::Tensor part = out.narrow(1, tokens.begin, tokens.size());
    at::add_out(part, x_BTHD.narrow(1, tokens.begin, tokens.size()), of_HVD->select(1, variable));
  }
}

/// The derivative of add_by_variable for of_HVD, of V variables, in fp32.
at::Tensor sum_by_variable(const Call& call, const at::Tensor& dx_BTHD, int64_t V) {
  const at::Tensor sum_HVD =
      at::zeros({dx_BTHD.size(2), V, dx_BTHD.size(3)}, dx_BTHD.options().dtype(at::kFloat));
  for (const auto& [variable, tokens] : call.runs(V, dx_BTHD.size(1))) {
    sum_HVD.select(1, variable)
        .add_(dx_BTHD.narrow(1, tokens.begin, tokens.size()).sum({0, 1}, false, at::kFloat));
  }
  return sum_HVD;
}

/// Gives each vector the length `scale` (a number or [H, 1]), in place. Returns 1 / sqrt(|x|^2 + epsilon).
template <class Scale>
at::Tensor normalise(const at::Tensor& x_BTHK, const Scale& scale) {
  at::Tensor inverse_BTH1 =
      at::linalg_vector_norm(x_BTHK, 2, {-1}, true, at::kFloat).square_().add_(epsilon).rsqrt_();
  x_BTHK.mul_((inverse_BTH1 * scale).to(x_BTHK.scalar_type()));
  return inverse_BTH1;
}

/// dy -> dx in place. Returns y dy, [B, T, H, 1] in fp32.
template <class Scale>
at::Tensor normalise_backward(const at::Tensor& dy_BTHK, const at::Tensor& y_BTHK,
                              const at::Tensor& inverse_BTH1, const Scale& scale) {
  const at::ScalarType type = dy_BTHK.scalar_type();
  at::Tensor product_BTH1 = (dy_BTHK * y_BTHK).sum({-1}, true, at::kFloat);
  dy_BTHK.mul_((inverse_BTH1 * scale).to(type));
  dy_BTHK.addcmul_(y_BTHK, (product_BTH1 * inverse_BTH1 / scale).to(type), -1);
  return product_BTH1;
}

class QueriesAndKeys : public torch::autograd::Function<QueriesAndKeys> {
 public:
  /// of_query [H, V, D] and of_key [G, V, K]: what is added to projected queries and keys, by variable.
  static at::Tensor forward(AutogradContext* context, const at::Tensor& projected_BTW,
                            const Optional& of_query, const Optional& of_key, const Optional& temperature_H,
                            const c10::intrusive_ptr<Call>& holder) {
    const Call& call = *holder;
    const int64_t B = projected_BTW.size(0), T = projected_BTW.size(1);
    const at::Tensor out_BTXD = at::empty({B, T, call.H + 2 * call.G, call.D()}, projected_BTW.options());
    const Parts from = parts_of_projection(call, projected_BTW), to = parts_of_heads(call, out_BTXD);
    const at::Tensor q = call.content(to.q), k = call.content(to.k);
    add_by_variable(call, from.q, of_query, to.q), add_by_variable(call, from.k, of_key, k);
    to.v.copy_(from.v);
    at::Tensor scale_H1, of_q, of_k;
    if (call.cosine()) {
      scale_H1 = temperature_H->to(at::kFloat).exp().mul_(call.root()).unsqueeze(1);
      of_q = normalise(q, scale_H1), of_k = normalise(k, 1.0);
    }
    if (call.form() != PlaceForm::added) {
      const Waves waves = call.waves(out_BTXD);
      if (call.form() == PlaceForm::rotary) turn(q, waves, 1), turn(k, waves, 1);
      if (call.form() == PlaceForm::aimed) {
        turn(call.place(to.q), waves, call.root());
        call.place(to.k).copy_(at::cat({waves.cos, waves.sin}, 1).unsqueeze(1));
      }
    }
    context->save_for_backward({call.cosine() ? out_BTXD : at::Tensor(), of_q, of_k, scale_H1});
    const auto variables = [](const Optional& of) { return of ? of->size(1) : 0; };
    context->saved_data["variables"] = std::vector<int64_t>{variables(of_query), variables(of_key)};
    context->saved_data["call"] = c10::IValue::make_capsule(holder);
    return out_BTXD;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto holder = c10::static_intrusive_pointer_cast<Call>(context->saved_data["call"].toCapsule());
    const Call& call = *holder;
    const std::vector<int64_t> variables = context->saved_data["variables"].toIntVector();
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &y_BTXD = saved[0], &scale_H1 = saved[3], &d_BTXD = gradients[0];
    const at::ScalarType type = d_BTXD.scalar_type();
    const int64_t W = call.shape().projection_rows(call.H, call.G);
    const at::Tensor dprojected_BTW = at::empty({d_BTXD.size(0), d_BTXD.size(1), W}, d_BTXD.options());
    const Parts from = parts_of_heads(call, d_BTXD), to = parts_of_projection(call, dprojected_BTW);
    to.q.copy_(from.q), to.k.copy_(call.content(from.k)), to.v.copy_(from.v);
    const at::Tensor q = call.content(to.q), &k = to.k;
    at::Tensor dtemperature_H;
    if (call.cosine()) {
      const Parts y = parts_of_heads(call, y_BTXD);
      dtemperature_H = normalise_backward(q, call.content(y.q), saved[1], scale_H1).sum({0, 1, 3}).to(type);
      normalise_backward(k, call.content(y.k), saved[2], 1.0);
    }
    if (call.form() != PlaceForm::added) {
      const Waves waves = call.waves(d_BTXD);
      if (call.form() == PlaceForm::rotary) turn(q, waves, 1, true), turn(k, waves, 1, true);
      if (call.form() == PlaceForm::aimed) turn(call.place(to.q), waves, call.root(), true);
    }
    const auto sum = [&](const at::Tensor& dx, int64_t V) {
      return V > 0 ? sum_by_variable(call, dx, V).to(type) : at::Tensor();
    };
    return {dprojected_BTW, sum(to.q, variables[0]), sum(k, variables[1]), dtemperature_H, {}};
  }
};

/// Where heads look before anything is learned: how strongly, and how many columns to the east. By turns: at
/// their own place, around it, and one column to the west and to the east.
struct FirstAim {
  double strength, columns;
};
constexpr std::array<FirstAim, 4> first_aims = {{{3, 0}, {1, 0}, {2, -1}, {2, 1}}};

/// [H, 1, E]: for each wave the vector `strength` long, turned by the angle of `columns`.
at::Tensor first_aims_of(const ModelShape& shape) {
  const PlaceWaves waves = shape.waves();
  const int64_t F = waves.count();
  at::Tensor aims_HVE = at::zeros({shape.heads, 1, 2 * F}, at::kFloat);
  auto out = aims_HVE.accessor<float, 3>();
  for (int64_t h = 0; h < shape.heads; ++h) {
    const auto [strength, columns] = first_aims[static_cast<size_t>(h) % first_aims.size()];
    for (int64_t f = 0; f < F; ++f) {
      const bool over_columns = f < std::ssize(waves.columns);
      const auto wave = static_cast<double>(over_columns ? waves.columns[static_cast<size_t>(f)] : 0);
      const double angle =
          2 * std::numbers::pi * wave * columns / static_cast<double>(shape.grid.patch_columns());
      out[h][0][f] = static_cast<float>(strength * std::cos(angle));
      out[h][0][F + f] = static_cast<float>(strength * std::sin(angle));
    }
  }
  return aims_HVE;
}

/// What is added to projected queries, [H, V, D]: the embedding of the variable, and the aim.
Optional added_to_queries(const ModelShape& shape, const Weights& weights) {
  const bool by_variable = shape.embedded_variables() > 1, aimed = shape.place == PlaceForm::aimed;
  if (!aimed) return by_variable ? Optional(weights["attention.q_variable"]) : std::nullopt;
  const at::Tensor& aim_HVE = weights["attention.aim"];
  return at::cat({by_variable ? weights["attention.q_variable"]
                              : aim_HVE.new_zeros({aim_HVE.size(0), 1, shape.content_dim()}),
                  aim_HVE},
                 2);
}

}  // namespace

std::vector<HeadParameter> query_key_parameters(const ModelShape& shape) {
  const int64_t H = shape.heads, G = shape.key_heads(), V = shape.embedded_variables();
  std::vector<HeadParameter> list;
  if (V > 1) {
    for (const auto& [name, heads, of_keys] :
         {std::tuple{"attention.q_variable", H, false}, {"attention.k_variable", G, true}}) {
      list.push_back({{name, {heads, V, shape.content_dim()}, Init::truncated_normal, 0.3, false}, of_keys});
    }
  }
  if (shape.qk_norm == QkNorm::cosine) {
    // log S makes the softmax of S random scores neither flat nor a choice of one token.
    const double first = std::log(std::max(1.0, std::log(static_cast<double>(shape.grid.tokens()))));
    list.push_back({{"attention.temperature", {H}, Init::given, 0, false, {}, at::full({1}, first)}, false});
  }
  if (shape.place == PlaceForm::aimed) {
    list.push_back(
        {{"attention.aim", {H, V, shape.place_features()}, Init::given, 0, false, {}, first_aims_of(shape)},
         false});
  }
  return list;
}

QueryKey query_key_of(const ModelShape& shape) { return {shape, wave_tables(shape.grid, shape.waves())}; }

at::Tensor queries_and_keys(const std::shared_ptr<const QueryKey>& query_key, const Weights& weights,
                            const at::Tensor& projected_BTW, int64_t queries, std::vector<Span> tokens) {
  const ModelShape& shape = query_key->shape;
  const int64_t D = shape.head_dim(), K = shape.content_dim();
  const int64_t keys = (projected_BTW.size(2) - queries * D) / (K + D);
  const auto weight_if = [&](bool there, const char* name) {
    return there ? Optional(weights[name]) : std::nullopt;
  };
  return QueriesAndKeys::apply(projected_BTW, added_to_queries(shape, weights),
                               weight_if(shape.embedded_variables() > 1, "attention.k_variable"),
                               weight_if(shape.qk_norm == QkNorm::cosine, "attention.temperature"),
                               c10::make_intrusive<Call>(query_key, std::move(tokens), queries, keys));
}

}  // namespace graticule

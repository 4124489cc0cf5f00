#include <ATen/TensorOperators.h>
#include <ATen/ops/add.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/zeros.h>

#include "graticule/model/query_key_form.h"

namespace graticule {

namespace {

/// q, k, v as views: of the projection (keys have content alone) or of q | k | v.
struct Parts {
  at::Tensor q, k, v;
};

Parts parts_of_projection(const FormCall& call, const at::Tensor& x_BTW) {
  const auto part = [&](int64_t first, int64_t heads, int64_t width) {
    return x_BTW.narrow(2, first, heads * width).unflatten(2, {heads, width});
  };
  const int64_t H = call.H, G = call.G, D = call.D(), K = call.K();
  return {part(0, H, D), part(H * D, G, K), part(H * D + G * K, G, D)};
}

Parts parts_of_heads(const FormCall& call, const at::Tensor& x_BTXD) {
  return {x_BTXD.narrow(2, 0, call.H), x_BTXD.narrow(2, call.H, call.G),
          x_BTXD.narrow(2, call.H + call.G, call.G)};
}

at::Tensor content(const FormCall& call, const at::Tensor& x_BTHD) { return x_BTHD.narrow(3, 0, call.K()); }

at::Tensor place(const FormCall& call, const at::Tensor& x_BTHD) {
  return x_BTHD.narrow(3, call.K(), call.D() - call.K());
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
void add_by_variable(const FormCall& call, const at::Tensor& x_BTHD, const at::Tensor& of_HVD,
                     const at::Tensor& out) {
  if (!of_HVD.defined()) {
    out.copy_(x_BTHD);
    return;
  }
  for (const auto& [variable, tokens] : call.runs(x_BTHD.size(1))) {
    at::Tensor part = out.narrow(1, tokens.begin, tokens.size());
    at::add_out(part, x_BTHD.narrow(1, tokens.begin, tokens.size()), of_HVD.select(1, variable));
  }
}

/// The derivative of add_by_variable for of_HVD, in fp32.
at::Tensor sum_by_variable(const FormCall& call, const at::Tensor& dx_BTHD) {
  at::Tensor sum_HVD =
      at::zeros({dx_BTHD.size(2), call.V(), dx_BTHD.size(3)}, dx_BTHD.options().dtype(at::kFloat));
  for (const auto& [variable, tokens] : call.runs(dx_BTHD.size(1))) {
    sum_HVD.select(1, variable)
        .add_(dx_BTHD.narrow(1, tokens.begin, tokens.size()).sum({0, 1}, false, at::kFloat));
  }
  return sum_HVD;
}

/// Gives each vector the length `scale` (a number or [H, 1]), in place. Returns 1 / sqrt(|x|^2 + epsilon).
template <class Scale>
at::Tensor normalise(const at::Tensor& x_BTHK, const Scale& scale) {
  at::Tensor inverse_BTH1 =
      at::linalg_vector_norm(x_BTHK, 2, {-1}, true, at::kFloat).square_().add_(form_epsilon).rsqrt_();
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

}  // namespace

Formed form_by_operators(const FormCall& call, const FormWeights& weights, const at::Tensor& projected_BTW) {
  const int64_t B = projected_BTW.size(0), T = projected_BTW.size(1);
  Formed formed{at::empty({B, T, call.H + 2 * call.G, call.D()}, projected_BTW.options()), {}, {}};
  const Parts from = parts_of_projection(call, projected_BTW), to = parts_of_heads(call, formed.heads_BTXD);
  const at::Tensor q = content(call, to.q), k = content(call, to.k);
  add_by_variable(call, from.q, weights.of_query_HVD, to.q);
  add_by_variable(call, from.k, weights.of_key_GVK, k);
  to.v.copy_(from.v);
  if (call.cosine()) {
    formed.of_q_BTH = normalise(q, weights.scale_H.unsqueeze(1)).squeeze(3);
    formed.of_k_BTG = normalise(k, 1.0).squeeze(3);
  }
  if (call.form() == PlaceForm::added) return formed;
  const Waves waves = call.waves(projected_BTW.options());
  if (call.form() == PlaceForm::rotary) turn(q, waves, 1), turn(k, waves, 1);
  if (call.form() == PlaceForm::aimed) {
    turn(place(call, to.q), waves, call.root());
    place(call, to.k).copy_(at::cat({waves.cos, waves.sin}, 1).unsqueeze(1));
  }
  return formed;
}

FormGradients form_by_operators_backward(const FormCall& call, const at::Tensor& scale_H,
                                         const Formed& formed, const at::Tensor& dheads_BTXD) {
  const int64_t W = call.shape().projection_rows(call.H, call.G);
  FormGradients d;
  d.projected_BTW = at::empty({dheads_BTXD.size(0), dheads_BTXD.size(1), W}, dheads_BTXD.options());
  const Parts from = parts_of_heads(call, dheads_BTXD), to = parts_of_projection(call, d.projected_BTW);
  to.q.copy_(from.q), to.k.copy_(content(call, from.k)), to.v.copy_(from.v);
  const at::Tensor q = content(call, to.q), &k = to.k;
  if (call.cosine()) {
    const Parts y = parts_of_heads(call, formed.heads_BTXD);
    d.log_scale_H =
        normalise_backward(q, content(call, y.q), formed.of_q_BTH.unsqueeze(3), scale_H.unsqueeze(1))
            .sum({0, 1, 3});
    normalise_backward(k, content(call, y.k), formed.of_k_BTG.unsqueeze(3), 1.0);
  }
  if (call.form() != PlaceForm::added) {
    const Waves waves = call.waves(dheads_BTXD.options());
    if (call.form() == PlaceForm::rotary) turn(q, waves, 1, true), turn(k, waves, 1, true);
    if (call.form() == PlaceForm::aimed) turn(place(call, to.q), waves, call.root(), true);
  }
  if (call.adds_to_queries()) d.of_query_HVD = sum_by_variable(call, to.q);
  if (call.adds_to_keys()) d.of_key_GVK = sum_by_variable(call, k);
  return d;
}

}  // namespace graticule

#include "graticule/model/query_key.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/custom_function.h>

#include <array>
#include <cmath>
#include <tuple>

#include "graticule/core/error.h"
#include "graticule/kernel/row_tensors.h"
#include "graticule/model/query_key_form.h"

namespace graticule {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using Optional = std::optional<at::Tensor>;

/// A call, kept in the autograd graph.
struct KeptCall : torch::CustomClassHolder {
  explicit KeptCall(FormCall of) : call(std::move(of)) {}
  FormCall call;
};

class QueriesAndKeys : public torch::autograd::Function<QueriesAndKeys> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& projected_BTW,
                            const Optional& of_query_HVD, const Optional& of_key_GVK,
                            const Optional& temperature_H, const c10::intrusive_ptr<KeptCall>& kept) {
    const FormCall& call = kept->call;
    FormWeights weights{of_query_HVD.value_or(at::Tensor()), of_key_GVK.value_or(at::Tensor()), {}};
    if (call.cosine()) weights.scale_H = temperature_H->to(at::kFloat).exp().mul_(call.root());
    const Formed formed = has_row_kernels(projected_BTW) ? form_by_rows(call, weights, projected_BTW)
                                                         : form_by_operators(call, weights, projected_BTW);
    const at::Tensor y_BTXD = call.cosine() ? formed.heads_BTXD : at::Tensor();
    context->save_for_backward({y_BTXD, formed.of_q_BTH, formed.of_k_BTG, weights.scale_H});
    context->saved_data["call"] = c10::IValue::make_capsule(kept);
    return formed.heads_BTXD;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto kept = c10::static_intrusive_pointer_cast<KeptCall>(context->saved_data["call"].toCapsule());
    const variable_list saved = context->get_saved_variables();
    const Formed formed{saved[0].defined() ? saved[0].detach() : saved[0], saved[1], saved[2]};
    const at::Tensor& dheads_BTXD = gradients[0];
    const FormGradients d = has_row_kernels(dheads_BTXD)
                                ? form_by_rows_backward(kept->call, saved[3], formed, dheads_BTXD)
                                : form_by_operators_backward(kept->call, saved[3], formed, dheads_BTXD);
    const auto rounded = [&](const at::Tensor& x) {
      return x.defined() ? x.to(dheads_BTXD.scalar_type()).contiguous() : x;
    };
    return {d.projected_BTW, rounded(d.of_query_HVD), rounded(d.of_key_GVK), rounded(d.log_scale_H), {}};
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
      const double angle = wave_turn(shape.grid, GridAxis::columns) * wave * columns /
                           static_cast<double>(shape.grid.trained_patches(GridAxis::columns));
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
                            const at::Tensor& projected_BTW, int64_t queries, std::vector<Span> tokens,
                            Visible visible) {
  const ModelShape& shape = query_key->shape;
  const int64_t D = shape.head_dim(), K = shape.content_dim();
  const int64_t keys = (projected_BTW.size(2) - queries * D) / (K + D);
  const auto weight_if = [&](bool there, const char* name) {
    return there ? Optional(weights[name]) : std::nullopt;
  };
  return QueriesAndKeys::apply(projected_BTW, added_to_queries(shape, weights),
                               weight_if(shape.embedded_variables() > 1, "attention.k_variable"),
                               weight_if(shape.qk_norm == QkNorm::cosine, "attention.temperature"),
                               c10::make_intrusive<KeptCall>(FormCall{query_key, std::move(tokens),
                                                                      std::move(visible), queries, keys}));
}

}  // namespace graticule

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <ATen/record_function.h>

#include <algorithm>

#include "graticule/kernel/parallel_loop.h"
#include "graticule/kernel/row_tensors.h"
#include "graticule/model/query_key_form.h"

namespace graticule {

namespace {

template <class T = void>
const T* data_or_null(const at::Tensor& x) {
  return x.defined() ? static_cast<const T*>(x.const_data_ptr()) : nullptr;
}

HeadForm head_form(const FormCall& call, const at::Tensor& like, const Waves& waves) {
  return {row_element(like),
          call.H,
          call.G,
          call.D(),
          call.K(),
          waves.cos.defined() ? waves.cos.size(1) : 0,
          call.cosine(),
          call.form() == PlaceForm::rotary,
          static_cast<float>(call.root()),
          static_cast<float>(form_epsilon)};
}

Waves waves_of(const FormCall& call, const at::Tensor& like) {
  if (call.form() == PlaceForm::added) return {};
  return call.waves(like.options().dtype(at::kFloat));
}

/// Cuts the rows of B samples of T tokens at variables, and these into parts of 64 tokens or more, about 64 parts
/// in all. The cut depends on the sizes alone, so the bits of sums do not depend on the threads.
std::vector<FormPart> parts_of(const FormCall& call, int64_t B, int64_t T) {
  const auto runs = call.runs(T);
  const int64_t most = std::max<int64_t>(1, 64 / std::max<int64_t>(1, B * std::ssize(runs)));
  std::vector<FormPart> parts;
  for (int64_t b = 0; b < B; ++b) {
    for (const auto& [variable, tokens] : runs) {
      const int64_t count = std::clamp<int64_t>(tokens.size() / 64, 1, most);
      for (int64_t i = 0; i < count; ++i) {
        const Span some = span_of(tokens.size(), count, i);
        const int64_t first = tokens.begin + some.begin;
        parts.push_back({b * T + first, first, some.size(), variable});
      }
    }
  }
  return parts;
}

/// Runs body(part, scratch) for the number of each part.
template <class Body>
void for_parts(const std::vector<FormPart>& parts, const HeadForm& form, const Body& body) {
  for_each_part(std::ssize(parts), [&](int64_t begin, int64_t end) {
    std::vector<float> scratch(static_cast<size_t>(form.scratch()));
    for (int64_t i = begin; i < end; ++i) body(static_cast<size_t>(i), scratch.data());
  });
}

/// The sums of the parts of each variable, [V, width].
at::Tensor sum_by_variable(const std::vector<FormPart>& parts, const at::Tensor& sums_PZ, int64_t variables) {
  at::Tensor total_VZ = at::zeros({variables, sums_PZ.size(1)}, sums_PZ.options());
  for (size_t i = 0; i < parts.size(); ++i) {
    total_VZ[parts[i].variable].add_(sums_PZ[static_cast<int64_t>(i)]);
  }
  return total_VZ;
}

}  // namespace

Formed form_by_rows(const FormCall& call, const FormWeights& weights, const at::Tensor& projected_BTW) {
  const int64_t B = projected_BTW.size(0), T = projected_BTW.size(1), H = call.H, G = call.G;
  const at::Tensor projected = projected_BTW.contiguous();
  const at::Tensor of_query = call.adds_to_queries() ? weights.of_query_HVD.contiguous() : at::Tensor(),
                   of_key = call.adds_to_keys() ? weights.of_key_GVK.contiguous() : at::Tensor();
  const auto fp32 = projected.options().dtype(at::kFloat);
  Formed formed{at::empty({B, T, H + 2 * G, call.D()}, projected.options()), {}, {}};
  if (call.cosine())
    formed.of_q_BTH = at::empty({B, T, H}, fp32), formed.of_k_BTG = at::empty({B, T, G}, fp32);
  const Waves waves = waves_of(call, projected);
  RECORD_FUNCTION("graticule::pointwise", std::vector<c10::IValue>({projected, formed.heads_BTXD}));
  if (projected.is_meta()) return formed;
  const auto lengths = [](const at::Tensor& x) {
    return x.defined() ? x.mutable_data_ptr<float>() : nullptr;
  };
  const FormForward all{head_form(call, projected, waves),
                        call.V(),
                        projected.const_data_ptr(),
                        formed.heads_BTXD.mutable_data_ptr(),
                        data_or_null(of_query),
                        data_or_null(of_key),
                        data_or_null<float>(waves.cos),
                        data_or_null<float>(waves.sin),
                        data_or_null<float>(weights.scale_H),
                        lengths(formed.of_q_BTH),
                        lengths(formed.of_k_BTG)};
  const std::vector<FormPart> parts = parts_of(call, B, T);
  for_parts(parts, all.form,
            [&](size_t i, float* scratch) { row_kernels().form_forward(all, parts[i], scratch); });
  return formed;
}

FormGradients form_by_rows_backward(const FormCall& call, const at::Tensor& scale_H, const Formed& formed,
                                    const at::Tensor& dheads_BTXD) {
  const int64_t B = dheads_BTXD.size(0), T = dheads_BTXD.size(1), H = call.H, G = call.G, D = call.D(),
                K = call.K();
  const at::Tensor dheads = dheads_BTXD.contiguous();
  const auto fp32 = dheads.options().dtype(at::kFloat);
  const std::vector<FormPart> parts = parts_of(call, B, T);
  FormGradients d;
  d.projected_BTW = at::empty({B, T, call.shape().projection_rows(H, G)}, dheads.options());
  const Waves waves = waves_of(call, dheads);
  const HeadForm form = head_form(call, dheads, waves);
  const at::Tensor sums_PZ = at::zeros({std::ssize(parts), form.sums()}, fp32);
  RECORD_FUNCTION("graticule::pointwise",
                  std::vector<c10::IValue>({dheads, formed.heads_BTXD, d.projected_BTW}));
  if (!dheads.is_meta()) {
    const FormBackward all{form,
                           dheads.const_data_ptr(),
                           data_or_null(formed.heads_BTXD),
                           d.projected_BTW.mutable_data_ptr(),
                           data_or_null<float>(waves.cos),
                           data_or_null<float>(waves.sin),
                           data_or_null<float>(scale_H),
                           data_or_null<float>(formed.of_q_BTH),
                           data_or_null<float>(formed.of_k_BTG)};
    auto* sums = sums_PZ.mutable_data_ptr<float>();
    for_parts(parts, form, [&](size_t i, float* scratch) {
      row_kernels().form_backward(all, parts[i], scratch, sums + static_cast<int64_t>(i) * form.sums());
    });
  }
  at::Tensor total_VZ = sum_by_variable(parts, sums_PZ, call.V());
  const auto of_heads = [&](int64_t first, int64_t heads, int64_t width) {
    return total_VZ.narrow(1, first, heads * width).unflatten(1, {heads, width}).transpose(0, 1);
  };
  if (call.adds_to_queries()) d.of_query_HVD = of_heads(0, H, D);
  if (call.adds_to_keys()) d.of_key_GVK = of_heads(H * D, G, K);
  if (call.cosine()) d.log_scale_H = total_VZ.narrow(1, form.added_width(), H).sum(0);
  return d;
}

}  // namespace graticule

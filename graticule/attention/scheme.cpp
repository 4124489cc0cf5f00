#include "graticule/attention/scheme.h"

#include <ATen/core/LegacyTypeDispatch.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/custom_class.h>

#include "graticule/attention/schemes.h"
#include "graticule/core/error.h"

namespace graticule {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Keeps the scheme in the autograd graph.
struct Held : torch::CustomClassHolder {
  explicit Held(Scheme value) : scheme(std::move(value)) {}
  Scheme scheme;
};

struct SchemeFunction : torch::autograd::Function<SchemeFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& q_BTHD, const at::Tensor& k_BTGD,
                            const at::Tensor& v_BTGD, const c10::intrusive_ptr<Held>& held) {
    const at::AutoDispatchBelowADInplaceOrView below_autograd;
    Forwarded result = held->scheme.forward(q_BTHD, k_BTGD, v_BTGD);
    context->save_for_backward(std::move(result.saved.tensors));
    context->saved_data["key_heads"] = result.saved.key_heads;
    context->saved_data["scheme"] = c10::IValue::make_capsule(held);
    return result.out_BTHD;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    if (at::GradMode::is_enabled()) {
      refuse("attention",
             "a derivative of its gradient is wanted (create_graph): it has first derivatives only");
    }
    const auto held = c10::static_intrusive_pointer_cast<Held>(context->saved_data["scheme"].toCapsule());
    const FlashGradients d = held->scheme.backward(
        gradients[0], {context->get_saved_variables(), context->saved_data["key_heads"].toInt()});
    return {d.dq_BTHD, d.dk_BSGD, d.dv_BSGD, at::Tensor()};
  }
};

}  // namespace

std::function<at::Tensor(const at::Tensor&, const at::Tensor&, const at::Tensor&)> differentiable(
    Scheme scheme) {
  return [held = c10::make_intrusive<Held>(std::move(scheme))](
             const at::Tensor& q_BTHD, const at::Tensor& k_BTGD, const at::Tensor& v_BTGD) {
    return SchemeFunction::apply(q_BTHD, k_BTGD, v_BTGD, held);
  };
}

Saved saved_by_tokens(const at::Tensor& q_BTHD, const at::Tensor& k_BTGD, const at::Tensor& v_BTGD,
                      const std::vector<at::Tensor>& rest) {
  Saved saved{{q_BTHD, k_BTGD, v_BTGD}, k_BTGD.size(2)};
  saved.tensors.insert(saved.tensors.end(), rest.begin(), rest.end());
  return saved;
}

Scheme outermost(ContextScheme scheme) {
  return {[start = std::move(scheme.start_forward)](const at::Tensor& q_BTHD, const at::Tensor& k_BTGD,
                                                    const at::Tensor& v_BTGD) -> Attend<Forwarded> {
            return [=, attend = start(q_BTHD, k_BTGD, v_BTGD)]() -> Finish<Forwarded> {
              return [=, finish = attend()]() -> Forwarded {
                const FlashResult result = finish();
                return {result.out_BTHD,
                        saved_by_tokens(q_BTHD, k_BTGD, v_BTGD, {result.out_BTHD, result.lse_BHT})};
              };
            };
          },
          [start = std::move(scheme.start_backward)](const at::Tensor& dout_BTHD, const Saved& saved) {
            const auto& x = saved.tensors;
            return start(dout_BTHD, x[0], x[1], x[2], x[3], x[4]);
          }};
}

}  // namespace graticule

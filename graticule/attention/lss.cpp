// Long-Sequence-Segmentation (arXiv 2311.02382): each rank keeps the queries of its segment of the sequence
// and attends over the keys and values of all segments.
//
// Legend: B batch, T this rank's tokens, N all tokens of the group, H heads, G key/value heads, D head width.
// Wire: one all-gather of K|V forward; one reduce-scatter of dK|dV, summed in fp32, backward. The gathered
// K|V are not kept for backward (2 B N G D elements a layer would not be divided by the ranks): they are
// gathered again.

#include <torch/csrc/autograd/custom_function.h>
#include <torch/custom_class.h>

#include "graticule/attention/attention.h"
#include "graticule/attention/kernel/flash.h"
#include "graticule/core/error.h"
#include "graticule/core/trace.h"

namespace graticule {

namespace {

struct Segments {
  Group group;
  std::vector<int64_t> tokens_of;
};

// [N, 2, B, G, D], tokens first so that a rank's segment is one range of rows; split into K and V as [B, N,
// G, D] views.
struct KeysValues {
  at::Tensor k_BNGD, v_BNGD;
};

KeysValues gather_keys_values(const Segments& segments, const at::Tensor& k_BTGD, const at::Tensor& v_BTGD) {
  const Scope scope("exchange");
  const at::Tensor mine_T2BGD = at::stack({k_BTGD.transpose(0, 1), v_BTGD.transpose(0, 1)}, 1);
  const at::Tensor all_N2BGD = segments.group.all_gather(mine_T2BGD, segments.tokens_of).wait();
  return {all_N2BGD.select(1, 0).transpose(0, 1), all_N2BGD.select(1, 1).transpose(0, 1)};
}

class LssFunction : public torch::autograd::Function<LssFunction> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& q_BTHD,
                            const at::Tensor& k_BTGD, const at::Tensor& v_BTGD,
                            const std::shared_ptr<Segments>& segments) {
    const at::AutoDispatchBelowADInplaceOrView below_autograd;
    const KeysValues all = gather_keys_values(*segments, k_BTGD, v_BTGD);
    const Scope scope("attention");
    const FlashResult result = flash_forward(q_BTHD, all.k_BNGD, all.v_BNGD);
    context->save_for_backward({q_BTHD, k_BTGD, v_BTGD, result.out_BTHD, result.lse_BHT});
    context->saved_data["segments"] = c10::IValue::make_capsule(c10::make_intrusive<Holder>(segments));
    return result.out_BTHD;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const auto segments =
        static_cast<const Holder*>(context->saved_data["segments"].toCapsule().get())->segments;
    const KeysValues all = gather_keys_values(*segments, saved[1], saved[2]);
    FlashGradients local;
    {
      const Scope scope("attention");
      local = flash_backward(gradients[0], saved[0], all.k_BNGD, all.v_BNGD, saved[3], saved[4]);
    }
    const Scope scope("exchange");
    const at::Tensor all_N2BGD = at::stack({local.dk_BSGD.transpose(0, 1), local.dv_BSGD.transpose(0, 1)}, 1);
    const at::Tensor mine_T2BGD = segments->group.reduce_scatter(all_N2BGD, segments->tokens_of).wait();
    return {local.dq_BTHD, mine_T2BGD.select(1, 0).transpose(0, 1), mine_T2BGD.select(1, 1).transpose(0, 1),
            at::Tensor()};
  }

 private:
  struct Holder : torch::CustomClassHolder {
    explicit Holder(std::shared_ptr<Segments> value) : segments(std::move(value)) {}
    std::shared_ptr<Segments> segments;
  };
};

}  // namespace

Attention lss_attention(const Group& group, std::vector<int64_t> tokens_of) {
  GRATICULE_CHECK(static_cast<int64_t>(tokens_of.size()) == group.size(), tokens_of.size(), " spans");
  const auto segments = std::make_shared<Segments>(Segments{group, std::move(tokens_of)});
  return [segments](const at::Tensor& q_BTHD, const at::Tensor& k_BTGD, const at::Tensor& v_BTGD) {
    return LssFunction::apply(q_BTHD, k_BTGD, v_BTGD, segments);
  };
}

}  // namespace graticule

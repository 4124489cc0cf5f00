#include "graticule/kernel/flash.h"

#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/ops/zeros_like.h>
#include <ATen/record_function.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <cmath>

#include "graticule/core/error.h"
#include "graticule/core/ledger.h"
#include "graticule/kernel/flash_aten.h"
#include "graticule/kernel/flash_cpu.h"
#include "graticule/kernel/flash_gpu.h"
#include "graticule/kernel/stand_in.h"

namespace graticule {
namespace {

constexpr auto where = "flash_attention";

}  // namespace

void check_attention_inputs(std::string_view by, const at::Tensor& q, const at::Tensor& k,
                            const at::Tensor& v) {
  for (const auto* x : {&q, &k, &v}) {
    if (x->dim() != 4)
      refuse(by, "a tensor of shape ", x->sizes(), ": q, k and v are [batch, tokens, heads, width]");
    if (x->scalar_type() != q.scalar_type() || x->device() != q.device()) {
      refuse(by, "q is ", q.scalar_type(), " on ", q.device(), " but k or v is ", x->scalar_type(), " on ",
             x->device(), ": give all three one dtype and one device");
    }
  }
  const auto dtype = q.scalar_type();
  if (dtype != at::kFloat && dtype != at::kBFloat16 && dtype != at::kHalf) {
    refuse(by, "dtype ", dtype, ": choose float32, bfloat16 or float16");
  }
  if (!q.is_cpu() && !q.is_cuda() && !q.is_meta()) {
    refuse(by, "device ", q.device(), " has no kernel: choose cpu, cuda (NVIDIA or ROCm) or meta");
  }
  if (k.sizes() != v.sizes()) refuse(by, "k is ", k.sizes(), " but v is ", v.sizes(), ": they must be equal");
  if (q.size(0) != k.size(0))
    refuse(by, "q has batch ", q.size(0), " but k has ", k.size(0), ": they must be equal");
  if (q.size(3) != k.size(3) || q.size(3) < 1 || q.size(3) > 256) {
    refuse(by, "q has head width ", q.size(3), " and k ", k.size(3), ": choose one width from 1 to 256");
  }
  if (k.size(2) < 1 || q.size(2) % k.size(2) != 0) {
    refuse(by, q.size(2), " query heads over ", k.size(2),
           " key/value heads: the first must be a multiple of the second");
  }
}

namespace {

void check_inputs(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  check_attention_inputs(where, q, k, v);
  if (k.size(1) < 1) refuse(where, "k has no tokens: attention needs at least one key");
}

void check_gradients(const at::Tensor& dout, const at::Tensor& q, const at::Tensor& out,
                     const at::Tensor& lse, const std::optional<at::Tensor>& dlse) {
  for (const auto* x : {&dout, &out}) {
    if (x->sizes() != q.sizes() || x->scalar_type() != q.scalar_type() || x->device() != q.device()) {
      refuse(where, "dout or out is ", x->scalar_type(), " ", x->sizes(), " on ", x->device(),
             ": it must be like q, ", q.scalar_type(), " ", q.sizes(), " on ", q.device());
    }
  }
  const auto check_lse = [&](const at::Tensor& x) {
    if (x.dim() != 3 || x.size(0) != q.size(0) || x.size(1) != q.size(2) || x.size(2) != q.size(1) ||
        x.scalar_type() != at::kFloat || x.device() != q.device()) {
      refuse(where, "lse or its gradient is ", x.scalar_type(), " ", x.sizes(), " on ", x.device(),
             ": it must be float32 [batch, heads, query tokens] = [", q.size(0), ", ", q.size(2), ", ",
             q.size(1), "] on ", q.device());
    }
  };
  check_lse(lse);
  if (dlse) check_lse(*dlse);
}

double scale_or_default(std::optional<double> scale, const at::Tensor& q) {
  return scale.value_or(1.0 / std::sqrt(static_cast<double>(q.size(3))));
}

/// Both halves are called through the dispatcher, so that a tracer (torch.compile, fake tensors) sees two
/// known operators.
class FlashFunction : public torch::autograd::Function<FlashFunction> {
 public:
  static torch::autograd::variable_list forward(torch::autograd::AutogradContext* context,
                                                const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                                std::optional<double> scale) {
    static const auto op =
        c10::Dispatcher::singleton()
            .findSchemaOrThrow("graticule::flash_attention", "")
            .typed<std::tuple<at::Tensor, at::Tensor>(const at::Tensor&, const at::Tensor&, const at::Tensor&,
                                                      std::optional<double>)>();
    at::AutoDispatchBelowADInplaceOrView guard;
    auto [out, lse] = op.call(q, k, v, scale);
    context->save_for_backward({q, k, v, out, lse});
    context->saved_data["scale"] = scale;
    context->set_materialize_grads(false);
    return {out, lse};
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    static const auto op =
        c10::Dispatcher::singleton()
            .findSchemaOrThrow("graticule::flash_attention_backward", "")
            .typed<std::tuple<at::Tensor, at::Tensor, at::Tensor>(
                const at::Tensor&, const at::Tensor&, const at::Tensor&, const at::Tensor&, const at::Tensor&,
                const at::Tensor&, std::optional<double>, const std::optional<at::Tensor>&)>();
    if (!gradients[0].defined() && !gradients[1].defined()) return {{}, {}, {}, {}};
    const auto saved = context->get_saved_variables();
    const auto dout = gradients[0].defined() ? gradients[0] : at::zeros_like(saved[3]);
    const auto dlse = gradients[1].defined() ? std::optional<at::Tensor>(gradients[1]) : std::nullopt;
    const auto scale = context->saved_data["scale"].toOptional<double>();
    auto [dq, dk, dv] = op.call(dout, saved[0], saved[1], saved[2], saved[3], saved[4], scale, dlse);
    return {dq, dk, dv, {}};
  }
};

}  // namespace

namespace {

/// Whether sizes are symbols, as when torch.compile traces. They have no values to check or to cut tasks by.
bool is_symbolic(const at::Tensor& x) { return x.unsafeGetTensorImpl()->has_symbolic_sizes_strides(); }

at::Tensor blank(const at::Tensor& x, at::ScalarType dtype) {
  return at::empty_symint(x.sym_sizes(), x.options().dtype(dtype));
}

FlashResult shapes_of_forward(const at::Tensor& q, at::ScalarType dtype) {
  const std::vector<c10::SymInt> lse_sizes{q.sym_size(0), q.sym_size(2), q.sym_size(1)};
  return {blank(q, dtype), at::empty_symint(lse_sizes, q.options().dtype(at::kFloat))};
}

/// Our CPU tiles for q; null when another kernel computes with it.
const FlashTiles* tiles_for(const at::Tensor& q) {
  const auto kernels = kernels_for(q);
  return kernels ? cpu_tiles(kernels->attention) : nullptr;
}

FlashResult as(at::ScalarType dtype, const FlashResult& x) { return {x.out_BTHD.to(dtype), x.lse_BHT}; }

FlashGradients as(at::ScalarType dtype, const FlashGradients& x) {
  return {x.dq_BTHD.to(dtype), x.dk_BSGD.to(dtype), x.dv_BSGD.to(dtype)};
}

}  // namespace

FlashResult flash_forward(const at::Tensor& q_BTHD, const at::Tensor& k_BSGD, const at::Tensor& v_BSGD,
                          std::optional<double> scale, std::optional<at::ScalarType> result) {
  const Accounted booked(Account::attention);
  const auto dtype = result.value_or(q_BTHD.scalar_type());
  if (is_symbolic(q_BTHD) || is_symbolic(k_BSGD)) return shapes_of_forward(q_BTHD, dtype);
  check_inputs(q_BTHD, k_BSGD, v_BSGD);
  RECORD_FUNCTION("graticule::flash_forward", std::vector<c10::IValue>({q_BTHD, k_BSGD, v_BSGD}));
  if (q_BTHD.numel() == 0) return shapes_of_forward(q_BTHD, dtype);
  const auto factor = scale_or_default(scale, q_BTHD);
  if (q_BTHD.is_cuda()) return as(dtype, flash_gpu_forward(q_BTHD, k_BSGD, v_BSGD, factor));
  if (const auto* tiles = tiles_for(q_BTHD)) {
    return flash_cpu_forward(*tiles, q_BTHD, k_BSGD, v_BSGD, factor, dtype);
  }
  if (!kernels_for(q_BTHD)) return shapes_of_forward(q_BTHD, dtype);
  return as(dtype, flash_aten_forward(q_BTHD, k_BSGD, v_BSGD, factor));
}

FlashGradients flash_backward(const at::Tensor& dout_BTHD, const at::Tensor& q_BTHD, const at::Tensor& k_BSGD,
                              const at::Tensor& v_BSGD, const at::Tensor& out_BTHD, const at::Tensor& lse_BHT,
                              std::optional<double> scale, const std::optional<at::Tensor>& dlse_BHT,
                              std::optional<at::ScalarType> result) {
  const Accounted booked(Account::attention);
  const auto dtype = result.value_or(q_BTHD.scalar_type());
  const auto shapes = [&] {
    return FlashGradients{blank(q_BTHD, dtype), blank(k_BSGD, dtype), blank(v_BSGD, dtype)};
  };
  if (is_symbolic(q_BTHD) || is_symbolic(k_BSGD)) return shapes();
  check_inputs(q_BTHD, k_BSGD, v_BSGD);
  check_gradients(dout_BTHD, q_BTHD, out_BTHD, lse_BHT, dlse_BHT);
  RECORD_FUNCTION("graticule::flash_backward", std::vector<c10::IValue>({q_BTHD, k_BSGD, v_BSGD}));
  if (q_BTHD.numel() == 0) {
    const auto none = shapes();
    return {none.dq_BTHD, none.dk_BSGD.zero_(), none.dv_BSGD.zero_()};
  }
  const auto factor = scale_or_default(scale, q_BTHD);
  if (q_BTHD.is_cuda()) {
    return as(dtype,
              flash_gpu_backward(dout_BTHD, q_BTHD, k_BSGD, v_BSGD, out_BTHD, lse_BHT, factor, dlse_BHT));
  }
  if (const auto* tiles = tiles_for(q_BTHD)) {
    return flash_cpu_backward(*tiles, dout_BTHD, q_BTHD, k_BSGD, v_BSGD, out_BTHD, lse_BHT, factor, dlse_BHT,
                              dtype);
  }
  if (!kernels_for(q_BTHD)) return shapes();
  return as(dtype,
            flash_aten_backward(dout_BTHD, q_BTHD, k_BSGD, v_BSGD, out_BTHD, lse_BHT, factor, dlse_BHT));
}

at::Tensor flash_delta(const at::Tensor& dout_BTHD, const at::Tensor& out_BTHD) {
  const Accounted booked(Account::attention);
  const at::Tensor products = dout_BTHD.to(at::kFloat, /*non_blocking=*/false, /*copy=*/true);
  return products.mul_(out_BTHD.to(at::kFloat)).sum({3}).transpose(1, 2);
}

FlashGradients flash_backward_by_delta(const at::Tensor& dout_BTHD, const at::Tensor& q_BTHD,
                                       const at::Tensor& k_BSGD, const at::Tensor& v_BSGD,
                                       const at::Tensor& delta_BHT, const at::Tensor& lse_BHT,
                                       std::optional<at::ScalarType> result) {
  const Accounted booked(Account::attention);
  const auto backward = [&](const at::Tensor& out_BTHD, const std::optional<at::Tensor>& dlse_BHT) {
    return flash_backward(dout_BTHD, q_BTHD, k_BSGD, v_BSGD, out_BTHD, lse_BHT, std::nullopt, dlse_BHT,
                          result);
  };
  if (!tiles_for(q_BTHD)) return backward(out_of_delta(delta_BHT, dout_BTHD), std::nullopt);
  return backward(q_BTHD.new_zeros({}).expand_as(q_BTHD), delta_BHT.neg());
}

FlashResult flash_attention(const at::Tensor& q_BTHD, const at::Tensor& k_BSGD, const at::Tensor& v_BSGD,
                            std::optional<double> scale) {
  if (!is_symbolic(q_BTHD) && !is_symbolic(k_BSGD)) check_inputs(q_BTHD, k_BSGD, v_BSGD);
  const auto results = FlashFunction::apply(q_BTHD, k_BSGD, v_BSGD, scale);
  return {results[0], results[1]};
}

}  // namespace graticule

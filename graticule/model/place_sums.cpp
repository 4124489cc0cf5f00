#include "graticule/model/place_sums.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/custom_function.h>

#include "graticule/core/trace.h"
#include "graticule/model/places.h"

namespace graticule {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// The tokens of one call, kept in the autograd graph.
struct TokensOfPlaces : torch::CustomClassHolder {
  TokensOfPlaces(TokenGrid of_grid, const Span& tokens, Visible which, Group ranks)
      : grid(std::move(of_grid)),
        span(visible_part(which, tokens)),
        visible(std::move(which)),
        holders(std::move(ranks)) {}
  TokenGrid grid;
  Span span;  // of the visible tokens
  Visible visible;
  Group holders;
};
using Places = c10::intrusive_ptr<TokensOfPlaces>;

// For each token the sum over all tokens of its place, [B, T, C] -> [B, T, C]. It is its own derivative: token u takes
// part in the sum of every token v of its place, so its gradient is the sum of theirs.
at::Tensor sum_over_places(const at::Tensor& x_BTC, const TokensOfPlaces& of) {
  const Scope scope("place sums");
  const auto runs = variable_runs(of.grid, {&of.span, 1}, of.visible);
  const at::Tensor place_T = places_of_tokens(of.grid, {&of.span, 1}, of.visible, x_BTC.device());
  at::Tensor sum_BpC =
      at::zeros({x_BTC.size(0), of.grid.places(), x_BTC.size(2)}, x_BTC.options().dtype(at::kFloat));
  // Run by run: the places of a run differ, so each sum is added in one order.
  for (const auto& [v, tokens] : runs) {
    sum_BpC.index_add_(1, place_T.narrow(0, tokens.begin, tokens.size()),
                       x_BTC.narrow(1, tokens.begin, tokens.size()).to(at::kFloat));
  }
  sum_BpC = of.holders.all_reduce(sum_BpC).wait();
  at::Tensor y_BTC = at::empty_like(x_BTC, at::MemoryFormat::Contiguous);
  for (const auto& [v, tokens] : runs) {
    y_BTC.narrow(1, tokens.begin, tokens.size())
        .copy_(sum_BpC.index_select(1, place_T.narrow(0, tokens.begin, tokens.size())));
  }
  return y_BTC;
}

struct SumOverPlaces : torch::autograd::Function<SumOverPlaces> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x_BTC, const Places& of) {
    context->saved_data["places"] = c10::IValue::make_capsule(of);
    return sum_over_places(x_BTC, *of);
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto of =
        c10::static_intrusive_pointer_cast<TokensOfPlaces>(context->saved_data["places"].toCapsule());
    return {sum_over_places(gradients[0], *of), {}};
  }
};

}  // namespace

Block plus_place_sums(Block x, Block part, const TokenGrid& grid, const Span& tokens, const Group& holders) {
  const auto places = [=](const Inputs& inputs) {
    return c10::make_intrusive<TokensOfPlaces>(grid, tokens, inputs.visible, holders);
  };
  Block both{x.name, x.parameters,
             [=, own = x.run, of_part = part.run](const Weights& weights, const at::Tensor& input,
                                                  const Inputs& inputs) {
               const at::Tensor x_BTC = own(weights, input, inputs);
               const at::Tensor sum_BTC =
                   SumOverPlaces::apply(of_part(weights, input, inputs), places(inputs));
               return x_BTC + sum_BTC;
             }};
  both.lean = LeanBlock{
      [=, own = *x.lean, of_part = *part.lean](const Weights& weights, const at::Tensor& input,
                                               const Inputs& inputs, Memo* memo) {
        at::Tensor y_BTC = own.forward(weights, input, inputs, memo);
        return y_BTC.add_(sum_over_places(of_part.forward(weights, input, inputs, memo), *places(inputs)));
      },
      [=, own = *x.lean, of_part = *part.lean](const Weights& weights, const at::Tensor& input,
                                               const at::Tensor& dy_BTC, const Inputs& inputs, Memo* memo,
                                               bool for_input) {
        const at::Tensor dx = of_part.backward(weights, input, sum_over_places(dy_BTC, *places(inputs)),
                                               inputs, memo, for_input);
        const at::Tensor more = own.backward(weights, input, dy_BTC, inputs, memo, for_input);
        return for_input ? dx.add_(more) : dx;
      }};
  return both;
}

}  // namespace graticule

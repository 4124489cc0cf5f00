#include "graticule/parallel/token_exchange.h"

#include <torch/csrc/autograd/custom_function.h>

#include <numeric>

#include "graticule/core/span.h"
#include "graticule/core/trace.h"

namespace graticule {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// The data of one call, kept in the autograd graph.
struct Spread : torch::CustomClassHolder {
  Spread(Group ranks, std::vector<int64_t> before, std::vector<int64_t> after)
      : group(std::move(ranks)), from(std::move(before)), to(std::move(after)) {}
  Group group;
  std::vector<int64_t> from, to;
};

Span range_of(const std::vector<int64_t>& sizes, int rank) {
  const int64_t begin = std::accumulate(sizes.begin(), sizes.begin() + rank, int64_t{0});
  return {begin, begin + sizes[static_cast<size_t>(rank)]};
}

at::Tensor move(const at::Tensor& x_BTC, const Group& group, const std::vector<int64_t>& from,
                const std::vector<int64_t>& to) {
  const Scope scope("exchange");
  std::vector<int64_t> send, receive;
  for (int rank = 0; rank < group.size(); ++rank) {
    send.push_back(intersect(range_of(from, group.rank()), range_of(to, rank)).size());
    receive.push_back(intersect(range_of(from, rank), range_of(to, group.rank())).size());
  }
  return group.all_to_all(x_BTC.transpose(0, 1).contiguous(), send, receive)
      .wait()
      .transpose(0, 1)
      .contiguous();
}

struct Exchange : torch::autograd::Function<Exchange> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x_BTC,
                            const c10::intrusive_ptr<Spread>& spread) {
    context->saved_data["spread"] = c10::IValue::make_capsule(spread);
    return move(x_BTC, spread->group, spread->from, spread->to);
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto spread = c10::static_intrusive_pointer_cast<Spread>(context->saved_data["spread"].toCapsule());
    return {move(gradients[0], spread->group, spread->to, spread->from), {}};
  }
};

}  // namespace

at::Tensor exchange_tokens(const at::Tensor& x_BTC, const Group& group, const std::vector<int64_t>& from,
                           const std::vector<int64_t>& to) {
  if (group.size() == 1) return x_BTC;
  return Exchange::apply(x_BTC, c10::make_intrusive<Spread>(group, from, to));
}

}  // namespace graticule

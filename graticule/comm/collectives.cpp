#include "graticule/comm/collectives.h"

#include <torch/csrc/autograd/custom_function.h>

#include "graticule/core/error.h"
#include "graticule/core/trace.h"

namespace graticule {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using Map = std::function<at::Tensor(const at::Tensor&)>;

/// Keeps the maps of one collective in the autograd graph.
struct Maps : torch::CustomClassHolder {
  Maps(Map forward_map, Map transpose_map)
      : forward(std::move(forward_map)), transpose(std::move(transpose_map)) {}
  Map forward, transpose;
};

/// Every collective is a linear map over the ranks, so its derivative is its transpose, whose derivative is
/// the map again.
struct Linear : torch::autograd::Function<Linear> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const Map& map,
                            const Map& transpose) {
    context->saved_data["maps"] = c10::IValue::make_capsule(c10::make_intrusive<Maps>(map, transpose));
    const Scope scope("exchange");
    return map(x);
  }
  static variable_list backward(AutogradContext* context, const variable_list& dy) {
    const auto maps = c10::static_intrusive_pointer_cast<Maps>(context->saved_data["maps"].toCapsule());
    return {Linear::apply(dy[0], maps->transpose, maps->forward), {}, {}};
  }
};

}  // namespace

at::Tensor all_to_all(const at::Tensor& rows, const Group& group, const std::vector<int64_t>& send_rows,
                      const std::vector<int64_t>& receive_rows) {
  return Linear::apply(
      rows, Map([=](const at::Tensor& x) { return group.all_to_all(x, send_rows, receive_rows).wait(); }),
      Map([=](const at::Tensor& dy) { return group.all_to_all(dy, receive_rows, send_rows).wait(); }));
}

at::Tensor all_gather(const at::Tensor& rows, const Group& group, const std::vector<int64_t>& rows_of) {
  return Linear::apply(rows, Map([=](const at::Tensor& x) { return group.all_gather(x, rows_of).wait(); }),
                       Map([=](const at::Tensor& dy) { return group.reduce_scatter(dy, rows_of).wait(); }));
}

at::Tensor reduce_scatter(const at::Tensor& rows, const Group& group, const std::vector<int64_t>& rows_of) {
  return Linear::apply(rows,
                       Map([=](const at::Tensor& x) { return group.reduce_scatter(x, rows_of).wait(); }),
                       Map([=](const at::Tensor& dy) { return group.all_gather(dy, rows_of).wait(); }));
}

at::Tensor all_reduce(const at::Tensor& values, const Group& group) {
  return Linear::apply(values, Map([=](const at::Tensor& x) { return group.all_reduce(x).wait(); }),
                       Map([](const at::Tensor& dy) { return dy; }));
}

at::Tensor replicate(const at::Tensor& values, const Group& group) {
  return Linear::apply(values, Map([](const at::Tensor& x) { return x; }),
                       Map([=](const at::Tensor& dy) { return group.all_reduce(dy).wait(); }));
}

at::Tensor shift(const at::Tensor& rows, const Group& group, const std::vector<int64_t>& rows_of, int by) {
  const int size = group.size(), rank = group.rank(), step = (by % size + size) % size;
  GRATICULE_CHECK(std::ssize(rows_of) == size && rows_of[rank] == rows.size(0), rows.size(0),
                  " rows on rank ", rank);
  const auto shape_of = [=, sizes = rows.sizes().vec()](int holder) {
    auto shape = sizes;
    shape[0] = rows_of[holder];
    return shape;
  };
  const auto before = shape_of(rank), after = shape_of((rank - step + size) % size);
  return Linear::apply(
      rows, Map([=](const at::Tensor& x) { return group.shift(x, x.new_empty(after), step).wait(); }),
      Map([=](const at::Tensor& dy) { return group.shift(dy, dy.new_empty(before), -step).wait(); }));
}

}  // namespace graticule

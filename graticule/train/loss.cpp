#include "graticule/train/loss.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/sub.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <functional>

#include "graticule/core/error.h"

namespace graticule {

namespace {

constexpr int64_t tile_values = 1 << 18;

using TileOf = std::function<at::Tensor(const at::Tensor& whole)>;

// Calls visit(tile) for every tile of a tensor with these sizes; tile(x) returns x's part of the tile.
void each_tile(at::IntArrayRef sizes, const std::function<void(const TileOf& tile)>& visit) {
  const int64_t token = std::max<int64_t>(1, c10::multiply_integers(sizes.slice(2)));
  const int64_t length = std::max<int64_t>(1, tile_values / token);
  for (int64_t b = 0; b < sizes[0]; ++b) {
    for (int64_t t = 0; t < sizes[1]; t += length) {
      const int64_t size = std::min(length, sizes[1] - t);
      visit([&](const at::Tensor& whole) { return whole.select(0, b).narrow(0, t, size); });
    }
  }
}

at::Tensor double_zero(const at::Tensor& like) { return at::zeros({}, like.options().dtype(at::kDouble)); }

struct SquaredError : torch::autograd::Function<SquaredError> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& prediction,
                            const at::Tensor& target, const at::Tensor& weight) {
    context->save_for_backward({prediction, target, weight});
    at::Tensor total = double_zero(prediction);
    each_tile(prediction.sizes(), [&](const TileOf& tile) {
      total += (tile(prediction) - tile(target)).square_().mul_(tile(weight)).sum();
    });
    return total.to(at::kFloat);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &prediction = saved[0], &target = saved[1], &weight = saved[2];
    const at::Tensor twice = 2 * gradients[0];
    at::Tensor gradient = at::empty_like(prediction);
    each_tile(prediction.sizes(), [&](const TileOf& tile) {
      at::Tensor part = tile(gradient);
      at::sub_out(part, tile(prediction), tile(target)).mul_(tile(weight)).mul_(twice);
    });
    return {gradient, {}, {}};
  }
};

}  // namespace

at::Tensor squared_error_sum(const at::Tensor& prediction_BTKP, const at::Tensor& target_BTKP,
                             const at::Tensor& weight_BTKP) {
  GRATICULE_CHECK(prediction_BTKP.dim() >= 2 && prediction_BTKP.sizes() == target_BTKP.sizes() &&
                  prediction_BTKP.sizes() == weight_BTKP.sizes());
  return SquaredError::apply(prediction_BTKP, target_BTKP, weight_BTKP);
}

at::Tensor weight_sum(const at::Tensor& weight_BTKP) {
  at::Tensor total = double_zero(weight_BTKP);
  each_tile(weight_BTKP.sizes(), [&](const TileOf& tile) { total += tile(weight_BTKP).sum(at::kDouble); });
  return total;
}

}  // namespace graticule

#include "graticule/parallel/tiles.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>

#include "graticule/core/error.h"
#include "graticule/core/ledger.h"

namespace graticule {

namespace {

int64_t tiles_for(int64_t tokens, int64_t tile_tokens) {
  return std::max<int64_t>(1, (tokens + tile_tokens - 1) / tile_tokens);
}

Weights as_leaves(const Weights& weights) {
  Weights leaves;
  for (const auto& [name, weight] : weights.items()) leaves.add(name, weight.detach().requires_grad_());
  return leaves;
}

}  // namespace

Tiling tiles_of(const TensorLayers& layers, int64_t tokens, int64_t tile_tokens) {
  const bool alone = layers.group.size() == 1;
  const std::vector<int64_t> tokens_of = alone ? std::vector{tokens} : layers.tokens_of;
  const int64_t count = tiles_for(*std::max_element(tokens_of.begin(), tokens_of.end()), tile_tokens);
  Tiling tiling;
  int64_t end = 0;
  for (int64_t i = 0; i < count; ++i) {
    TensorLayers layer{layers.group, {}};
    const int64_t begin = end;
    int64_t first = 0;  // of a rank
    std::vector<Span>& parts = tiling.tokens.emplace_back();
    for (const int64_t n : tokens_of) {
      const Span part = span_of(n, count, i);
      parts.push_back({first + part.begin, first + part.end});
      layer.tokens_of.push_back(part.size());
      end += part.size(), first += n;
    }
    tiling.mine.push_back(span_of(tokens, count, i));
    tiling.group.push_back({begin, end});
    tiling.layers.push_back(std::move(layer));
  }
  return tiling;
}

void GradientSums::add(const std::string& name, const at::Tensor& gradient) {
  const Accounted booked(Account::gradients);
  at::Tensor& sum = sums_[name];
  if (!sum.defined()) {
    sum = gradient;
  } else if (sum.scalar_type() == at::kFloat) {
    sum.add_(gradient);
  } else {
    sum = sum.to(at::kFloat).add_(gradient);
  }
}

void GradientSums::add_rows(const std::string& name, const at::Tensor& whole, const std::vector<Span>& rows,
                            const at::Tensor& gradient) {
  const Accounted booked(Account::gradients);
  at::Tensor& sum = sums_[name];
  if (!sum.defined()) sum = at::zeros(whole.sizes(), whole.options().dtype(at::kFloat));
  int64_t first = 0;
  for (const Span& piece : rows) {
    sum.narrow(0, piece.begin, piece.size()).add_(gradient.narrow(0, first, piece.size()));
    first += piece.size();
  }
}

void GradientSums::deliver(const Weights& leaves) {
  const Accounted booked(Account::gradients);
  for (const auto& [name, leaf] : leaves.items()) {
    const auto found = sums_.find(name);
    if (found == sums_.end()) continue;
    const at::Tensor gradient = found->second.to(leaf.scalar_type());
    sums_.erase(found);
    at::Tensor& there = leaf.mutable_grad();
    there = there.defined() ? there + gradient : gradient;
  }
}

at::Tensor tiled_forward(const TileFunction& function, const Weights& weights,
                         const std::vector<TiledTensor>& inputs, const std::vector<Span>& spans) {
  const at::NoGradGuard no_grad;
  at::Tensor out;
  for (size_t i = 0; i < spans.size(); ++i) {
    std::vector<at::Tensor> tiles;
    tiles.reserve(inputs.size());
    for (const TiledTensor& input : inputs) tiles.push_back(input.tile(i));
    at::Tensor y = function(weights, tiles, i);
    if (spans.size() == 1) return y;
    if (!out.defined()) {
      std::vector<int64_t> sizes = y.sizes().vec();
      sizes[1] = spans.back().end;
      out = at::empty(sizes, y.options());
    }
    out.narrow(1, spans[i].begin, spans[i].size()).copy_(y);
  }
  return out;
}

void tiled_backward(const TileFunction& function, const Weights& weights,
                    const std::vector<TiledInput>& inputs, const TiledTensor& dy,
                    const std::function<void(const std::string&, const at::Tensor&)>& take) {
  const Weights leaves = as_leaves(weights);
  for (size_t i = 0; i < dy.spans.size(); ++i) {
    std::vector<at::Tensor> tiles;
    tiles.reserve(inputs.size());
    for (const TiledInput& input : inputs) {
      tiles.push_back(input.input.tile(i).detach().requires_grad_(input.gradient.defined()));
    }
    {
      const at::AutoGradMode grad_mode(true);
      torch::autograd::backward({function(leaves, tiles, i)}, {dy.tile(i)});
    }
    for (size_t j = 0; j < inputs.size(); ++j) {
      const auto& [input, gradient, add] = inputs[j];
      if (!gradient.defined()) continue;
      const at::Tensor to = gradient.narrow(1, input.spans[i].begin, input.spans[i].size());
      add ? to.add_(tiles[j].grad()) : to.copy_(tiles[j].grad());
    }
    for (const auto& [name, leaf] : leaves.items()) {
      if (leaf.grad().defined()) take(name, leaf.grad());
      leaf.mutable_grad().reset();
    }
  }
}

Block token_block(std::string name, std::vector<Parameter> parameters, const TokenFunction& function,
                  int64_t tile_tokens) {
  const auto over_tiles = [function](const Inputs& inputs, const Tiling& tiling) -> TileFunction {
    return
        [&inputs, &tiling, function](const Weights& weights, const std::vector<at::Tensor>& x, size_t tile) {
          return function(weights, x[0], inputs, tiling.mine[tile]);
        };
  };
  Block block{std::move(name), std::move(parameters),
              [function](const Weights& weights, const at::Tensor& x, const Inputs& inputs) {
                return function(weights, x, inputs, {0, x.size(1)});
              }};
  block.lean = LeanBlock{
      [=](const Weights& weights, const at::Tensor& x, const Inputs& inputs, Memo*) {
        const Tiling tiling = tiles_of({}, x.size(1), tile_tokens);
        return tiled_forward(over_tiles(inputs, tiling), weights, {{x, tiling.mine}}, tiling.mine);
      },
      [=](const Weights& weights, const at::Tensor& x, const at::Tensor& dy, const Inputs& inputs, Memo*,
          bool for_input) {
        const Tiling tiling = tiles_of({}, x.size(1), tile_tokens);
        at::Tensor dx = for_input ? at::empty_like(x) : at::Tensor();
        GradientSums sums;
        tiled_backward(over_tiles(inputs, tiling), weights, {{{x, tiling.mine}, dx}}, {dy, tiling.mine},
                       [&](const std::string& weight, const at::Tensor& d) { sums.add(weight, d); });
        sums.deliver(weights);
        return dx;
      }};
  return block;
}

}  // namespace graticule

#include "graticule/model/masked.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/tensor.h>

#include "graticule/core/error.h"
#include "graticule/kernel/linear.h"
#include "graticule/kernel/norm.h"
#include "graticule/model/block.h"
#include "graticule/model/head.h"
#include "graticule/model/tokenizer.h"
#include "graticule/parallel/token_exchange.h"

namespace graticule {

namespace {

// The visible tokens that each rank has among its tokens, and its share of all of them.
struct VisibleCounts {
  std::vector<int64_t> own, share;
};

VisibleCounts counts_of(const ModelShape& shape, const Visible& visible, const Group& holders) {
  GRATICULE_CHECK(visible && std::ssize(*visible) == shape.visible_tokens(), "visible tokens");
  VisibleCounts counts;
  const int64_t S = shape.grid.tokens();
  for (int rank = 0; rank < holders.size(); ++rank) {
    counts.own.push_back(visible_part(visible, span_of(S, holders.size(), rank)).size());
    counts.share.push_back(span_of(shape.visible_tokens(), holders.size(), rank).size());
  }
  return counts;
}

// A block that reads all tokens, whatever the blocks before it read.
Block of_all_tokens(Block block) {
  const auto all = [](Inputs inputs) {
    inputs.visible = nullptr;
    return inputs;
  };
  block.run = [run = block.run, all](const Weights& weights, const at::Tensor& x, const Inputs& inputs) {
    return run(weights, x, all(inputs));
  };
  if (!block.lean) return block;
  block.lean = LeanBlock{
      [run = block.lean->forward, all](const Weights& weights, const at::Tensor& x, const Inputs& inputs,
                                       Memo* memo) { return run(weights, x, all(inputs), memo); },
      [run = block.lean->backward, all](const Weights& weights, const at::Tensor& x, const at::Tensor& dy,
                                        const Inputs& inputs, Memo* memo, bool for_input) {
        return run(weights, x, dy, all(inputs), memo, for_input);
      }};
  return block;
}

std::vector<Parameter> entry_weights(const ModelShape& shape) {
  const int64_t C = shape.dim, E = shape.decoder.dim;
  std::vector<Parameter> list = {{"norm.weight", {C}, Init::ones, 0, false},
                                 {"norm.bias", {C}, Init::zeros, 0, false},
                                 {"project.weight", {E, C}, Init::truncated_normal, shape.init_std},
                                 {"project.bias", {E}, Init::zeros, 0, false},
                                 {"hidden", {E}, Init::truncated_normal, 0.02, false}};
  // Hidden tokens do not know which variable they are of.
  if (shape.grid.mode == TokenMode::full)
    list.push_back({"variable", {shape.grid.variables, E}, Init::truncated_normal, 0.5, false});
  return list;
}

// The embedding of the variable of each token, [T, E]. `span`: this rank's tokens.
at::Tensor variables_of_tokens(const at::Tensor& variable_VE, const TokenGrid& grid, const Span& span) {
  std::vector<int64_t> numbers;
  for (int64_t token = span.begin; token < span.end; ++token) numbers.push_back(token / grid.places());
  return variable_VE.index_select(0, at::tensor(numbers, at::kLong).to(variable_VE.device()));
}

Block entry(const ModelShape& shape, const Span& tokens, const WholeSequence& layers) {
  const auto run = [shape, tokens, holders = layers.holders,
                    tables = position_tables(shape.grid, shape.decoder.dim)](
                       const Weights& weights, const at::Tensor& x_BtC, const Inputs& inputs) {
    const VisibleCounts counts = counts_of(shape, inputs.visible, holders);
    const at::Tensor normed = graticule::layer_norm(x_BtC, weights["norm.weight"], weights["norm.bias"]);
    const at::Tensor narrow_BtE =
        graticule::linear(normed, weights["project.weight"], weights["project.bias"]);
    const at::Tensor mine_BvE = exchange_tokens(narrow_BtE, holders, counts.share, counts.own);
    const Span part = visible_part(inputs.visible, tokens);
    const at::Tensor place_v = (tokens_at(inputs.visible, part) - tokens.begin).to(x_BtC.device());
    at::Tensor x_BTE = weights["hidden"]
                           .view({1, 1, -1})
                           .expand({x_BtC.size(0), tokens.size(), -1})
                           .index_copy(1, place_v, mine_BvE);
    if (shape.grid.mode == TokenMode::full)
      x_BTE = x_BTE + variables_of_tokens(weights["variable"], shape.grid, tokens);
    return x_BTE + positions_of(tables, shape.grid, tokens, nullptr, x_BTE.options());
  };
  return {"decoder", entry_weights(shape), run};
}

}  // namespace

Block visible_tokenizer(const ModelShape& shape, const Span& tokens, const WholeSequence& layers) {
  Block block = tokenizer(shape, tokens, layers.holders);
  block.lean.reset();
  block.run = [run = block.run, shape, holders = layers.holders](
                  const Weights& weights, const at::Tensor& input, const Inputs& inputs) {
    const VisibleCounts counts = counts_of(shape, inputs.visible, holders);
    return exchange_tokens(run(weights, input, inputs), holders, counts.own, counts.share);
  };
  return block;
}

std::vector<Block> decoder(const ModelShape& shape, const Span& tokens, const WholeSequence& layers,
                           int64_t tile_tokens) {
  const ModelShape narrow = shape.decoder_shape();
  std::vector<Block> blocks = {entry(shape, tokens, layers)};
  for (int64_t i = 0; i < narrow.depth; ++i) {
    Block block =
        of_all_tokens(transformer_block(narrow, i, tokens, layers.attention, layers.tensor, tile_tokens));
    block.name = text("decoder.blocks.", i);
    blocks.push_back(std::move(block));
  }
  blocks.push_back(of_all_tokens(prediction_head(narrow, tokens, tile_tokens)));
  return blocks;
}

}  // namespace graticule

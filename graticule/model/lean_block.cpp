// The lean pair of the transformer block. The primes are derivatives; a line with "again" is computed a
// second time.
//
//   forward   q, k, v = project(x)
//             out = attention(q, k, v)
//             x1 = x + merge(out)
//             y = x1 + mlp(x1)
//
//   backward  x1 again
//             dx1 = mlp'(dy) + dy, written over dy
//             dout = merge'(dx1)
//             for each group of heads: q, k, v again; dq, dk, dv; dx = dx1 + project'(dq, dk, dv), over dx1
//
// The T tokens of the tensor group are ordered tile by tile here (parallel/tiles.h). Attention works with any
// order of tokens. Legend: branches.h.

#include "graticule/model/lean_block.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>

#include "graticule/core/error.h"
#include "graticule/model/branches.h"
#include "graticule/parallel/tiles.h"

namespace graticule {

namespace {

/// Some of this rank's heads, and the rows of the weight "attention.qkv" that project to them.
struct HeadGroup {
  Span queries, keys;
  std::vector<Span> projection;

  /// The rows of a weight (by name) that belong to these heads; none for a weight that all heads share.
  std::vector<Span> rows(const std::string& name) const {
    if (name.starts_with("attention.qkv.")) return projection;
    if (name == "attention.k_variable") return {keys};
    const bool of_queries =
        name == "attention.q_variable" || name == "attention.temperature" || name == "attention.aim";
    return of_queries ? std::vector{queries} : std::vector<Span>();
  }
};

std::vector<HeadGroup> head_groups_of(const ModelShape& shape, const TensorLayers& layers, int64_t groups) {
  const BlockShare share = block_share(shape, layers);
  const int64_t H = share.queries.size(), G = share.keys.size(), R = H / G;
  // The same number on every rank of the tensor axis, because its ranks project together.
  const int64_t count = head_group_count(shape, groups, layers.group.size());
  std::vector<HeadGroup> list;
  for (int64_t i = 0; i < count; ++i) {
    const Span keys = span_of(G, count, i), queries{keys.begin * R, keys.end * R};
    list.push_back({queries, keys, projection_rows_of(shape, H, G, queries, keys)});
  }
  return list;
}

struct Lean : LeanArguments {
  std::vector<HeadGroup> groups;
};

/// The arguments of one run of the pair, forward or backward.
struct Pass {
  const Lean& lean;
  const Weights& weights;
  const Inputs& inputs;
  Tiling tiling;  ///< its tokens are numbers in the whole sequence

  /// Under autograd a tile runs again only for its derivatives, so the values are skipped.
  BranchContext context(size_t tile) const {
    return {lean.query_key->shape,
            tiling.layers[tile],
            inputs,
            lean.index,
            lean.query_key,
            tiling.tokens[tile],
            at::GradMode::is_enabled() ? Value::skipped : Value::computed};
  }
};

Pass pass_of(const Lean& lean, const Weights& weights, const at::Tensor& x_BtC, const Inputs& inputs) {
  Pass pass{lean, weights, inputs, tiles_of(lean.layers, x_BtC.size(1), lean.tile_tokens)};
  for (auto& tile : pass.tiling.tokens) {
    for (Span& part : tile) part.begin += lean.group_tokens.begin, part.end += lean.group_tokens.begin;
  }
  return pass;
}

at::Tensor rows_of(const at::Tensor& weight, const std::vector<Span>& rows) {
  std::vector<at::Tensor> pieces;
  pieces.reserve(rows.size());
  for (const Span& piece : rows) pieces.push_back(weight.narrow(0, piece.begin, piece.size()));
  return at::cat(pieces);
}

/// The weights that project x to the heads of one group.
Weights projection_of(const Pass& pass, const HeadGroup& group) {
  Weights some;
  for (const auto& [name, weight] : pass.weights.items()) {
    const std::vector<Span> rows = group.rows(name);
    if (!rows.empty()) {
      some.add(name, pass.lean.groups.size() == 1 ? weight : rows_of(weight.detach(), rows));
    } else if (name.starts_with("norm1.") || name.ends_with("_norm.weight") || name.ends_with("_norm.bias")) {
      some.add(name, weight);
    }
  }
  return some;
}

Weights weights_of(const Pass& pass, const std::string& prefix, const std::string& other = "?") {
  Weights some;
  for (const auto& [name, weight] : pass.weights.items()) {
    if (name.starts_with(prefix) || name.starts_with(other)) some.add(name, weight);
  }
  return some;
}

TileFunction projection(const Pass& pass, const HeadGroup& group) {
  return [&pass, &group](const Weights& weights, const std::vector<at::Tensor>& x, size_t tile) {
    const at::Tensor normed = norm_stream(weights, "norm1", x[0]).normed_NC;
    return project_heads(pass.context(tile), weights, normed, group.queries.size());
  };
}

TileFunction merging(const Pass& pass) {
  return [&pass](const Weights& weights, const std::vector<at::Tensor>& out, size_t tile) {
    return merge_heads(pass.context(tile), weights, out[0]);
  };
}

TileFunction mlp(const Pass& pass) {
  return [&pass](const Weights& weights, const std::vector<at::Tensor>& x, size_t tile) {
    return with_mlp(pass.context(tile), weights, x[0]);
  };
}

struct Heads {
  at::Tensor q_BTHD, k_BTGD, v_BTGD;
};

Heads project(const Pass& pass, const HeadGroup& group, const at::Tensor& x_BtC) {
  const at::Tensor qkv_BTXD = tiled_forward(projection(pass, group), projection_of(pass, group),
                                            {{x_BtC, pass.tiling.mine}}, pass.tiling.group);
  const int64_t h = group.queries.size(), g = group.keys.size();
  return {qkv_BTXD.narrow(2, 0, h), qkv_BTXD.narrow(2, h, g), qkv_BTXD.narrow(2, h + g, g)};
}

/// Runs start(i), attend and finish of every group. The exchanges of a group are under way while its
/// neighbours attend. Calls take(i, result) in order.
template <class Result, class Start, class Take>
void pipeline(size_t groups, const Start& start, const Take& take) {
  std::vector<Attend<Result>> started;
  std::optional<Finish<Result>> returning;
  started.push_back(start(0));
  for (size_t i = 0; i < groups; ++i) {
    if (i + 1 < groups) started.push_back(start(i + 1));
    Finish<Result> finish = std::exchange(started[i], nullptr)();
    if (returning) take(i - 1, (*returning)());
    returning = std::move(finish);
  }
  take(groups - 1, (*returning)());
}

/// The memo: attention's output [B, T, H, D], then the log-sum-exps of each group.
Memo attend(const Pass& pass, const at::Tensor& x_BtC) {
  const auto& groups = pass.lean.groups;
  Memo memo(1 + groups.size());
  at::Tensor& out_BTHD = memo[0].emplace_back();
  pipeline<Forwarded>(
      groups.size(),
      [&](size_t i) {
        const Heads heads = project(pass, groups[i], x_BtC);
        return pass.lean.attention.by_tokens.start_forward(heads.q_BTHD, heads.k_BTGD, heads.v_BTGD);
      },
      [&](size_t i, const Forwarded& result) {
        const auto& saved = result.saved.tensors;
        memo[1 + i].assign(saved.begin() + 4, saved.end());
        if (groups.size() == 1) {
          out_BTHD = result.out_BTHD;
          return;
        }
        if (!out_BTHD.defined()) {
          std::vector<int64_t> sizes = result.out_BTHD.sizes().vec();
          sizes[2] = groups.back().queries.end;
          out_BTHD = at::empty(sizes, result.out_BTHD.options());
        }
        out_BTHD.narrow(2, groups[i].queries.begin, groups[i].queries.size()).copy_(result.out_BTHD);
      });
  return memo;
}

at::Tensor after_attention(const Pass& pass, const at::Tensor& x_BtC, const at::Tensor& out_BTHD) {
  const TileFunction add = [&pass](const Weights& weights, const std::vector<at::Tensor>& tiles,
                                   size_t tile) {
    return tiles[0] + merge_heads(pass.context(tile), weights, tiles[1]);
  };
  return tiled_forward(add, pass.weights, {{x_BtC, pass.tiling.mine}, {out_BTHD, pass.tiling.group}},
                       pass.tiling.mine);
}

at::Tensor forward(const Lean& lean, const Weights& weights, const at::Tensor& x_BtC, const Inputs& inputs,
                   Memo* memo) {
  const at::NoGradGuard no_grad;
  const Pass pass = pass_of(lean, weights, x_BtC, inputs);
  Memo attended = attend(pass, x_BtC);
  const at::Tensor x1_BtC = after_attention(pass, x_BtC, attended[0][0]);
  if (memo) *memo = std::move(attended);
  attended.clear();
  return tiled_forward(mlp(pass), weights, {{x1_BtC, pass.tiling.mine}}, pass.tiling.mine);
}

/// The backward of the attention branch. dx_BtC is the gradient of the branch's output, and of the residual;
/// the function adds to it and so makes it the gradient of x.
void attention_backward(const Pass& pass, const at::Tensor& x_BtC, const at::Tensor& dx_BtC, const Memo& memo,
                        GradientSums& sums) {
  const auto& groups = pass.lean.groups;
  const Tiling& tiling = pass.tiling;
  const at::Tensor& out_BTHD = memo[0][0];
  const at::Tensor dout_BTHD = at::empty(out_BTHD.sizes(), out_BTHD.options());
  const auto add = [&](const std::string& name, const at::Tensor& gradient) { sums.add(name, gradient); };
  tiled_backward(merging(pass), weights_of(pass, "attention.out."), {{{out_BTHD, tiling.group}, dout_BTHD}},
                 {dx_BtC, tiling.mine}, add);
  const auto of_group = [&](const at::Tensor& all, size_t i) {
    return all.narrow(2, groups[i].queries.begin, groups[i].queries.size());
  };
  pipeline<FlashGradients>(
      groups.size(),
      [&](size_t i) {
        const Heads heads = project(pass, groups[i], x_BtC);
        std::vector<at::Tensor> rest = {of_group(out_BTHD, i)};
        rest.insert(rest.end(), memo[1 + i].begin(), memo[1 + i].end());
        return pass.lean.attention.by_tokens.start_backward(
            of_group(dout_BTHD, i), saved_by_tokens(heads.q_BTHD, heads.k_BTGD, heads.v_BTGD, rest));
      },
      [&](size_t i, FlashGradients d) {
        const at::Tensor dqkv_BTXD = at::cat({d.dq_BTHD, d.dk_BSGD, d.dv_BSGD}, 2);
        d = {};
        tiled_backward(projection(pass, groups[i]), projection_of(pass, groups[i]),
                       {{{x_BtC, tiling.mine}, dx_BtC, true}}, {dqkv_BTXD, tiling.group},
                       [&](const std::string& name, const at::Tensor& gradient) {
                         const std::vector<Span> rows = groups[i].rows(name);
                         if (groups.size() == 1 || rows.empty()) return sums.add(name, gradient);
                         sums.add_rows(name, pass.weights[name], rows, gradient);
                       });
      });
}

at::Tensor backward(const Lean& lean, const Weights& weights, const at::Tensor& x_BtC,
                    const at::Tensor& dy_BtC, const Inputs& inputs, Memo* memo) {
  const at::NoGradGuard no_grad;
  const Pass pass = pass_of(lean, weights, x_BtC, inputs);
  const Memo attended = memo ? std::move(*memo) : attend(pass, x_BtC);
  at::Tensor dx_BtC = dy_BtC.contiguous();
  GradientSums sums;
  {
    const at::Tensor x1_BtC = after_attention(pass, x_BtC, attended[0][0]);
    tiled_backward(mlp(pass), weights_of(pass, "mlp.", "norm2."), {{{x1_BtC, pass.tiling.mine}, dx_BtC}},
                   {dx_BtC, pass.tiling.mine},
                   [&](const std::string& name, const at::Tensor& gradient) { sums.add(name, gradient); });
  }
  attention_backward(pass, x_BtC, dx_BtC, attended, sums);
  sums.deliver(weights);
  return dx_BtC;
}

}  // namespace

LeanBlock lean_transformer_block(LeanArguments arguments) {
  std::vector<HeadGroup> groups =
      head_groups_of(arguments.query_key->shape, arguments.layers, arguments.attention.head_groups);
  const auto lean = std::make_shared<const Lean>(Lean{std::move(arguments), std::move(groups)});
  return {[lean](const Weights& weights, const at::Tensor& x, const Inputs& inputs, Memo* memo) {
            return forward(*lean, weights, x, inputs, memo);
          },
          [lean](const Weights& weights, const at::Tensor& x, const at::Tensor& dy, const Inputs& inputs,
                 Memo* memo, bool for_input) {
            const at::Tensor dx = backward(*lean, weights, x, dy, inputs, memo);
            return for_input ? dx : at::Tensor();
          }};
}

}  // namespace graticule

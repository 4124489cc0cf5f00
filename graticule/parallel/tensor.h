// Tensor parallelism (Megatron-LM, arXiv 1909.08053, section 3) with sequence-parallel regions (arXiv
// 2205.05198, section 4.2.2): the weights of a pair of linear layers are cut over the ranks of the tensor
// axis, the tokens between the pairs are too. Bytes and memory: docs/tensor.md.
//
//   my t tokens --column: gather tokens, my rows of W--> all T tokens, my width
//               --row: my columns of W, sum over ranks, scatter tokens--> my t tokens
//
// Legend: B batch, t this rank's tokens, T all tokens of the group, C a width that is whole, I/O input/output
// width of this rank's part of the weight.
#pragma once

#include <ATen/core/Tensor.h>

#include "graticule/comm/group.h"
#include "graticule/kernel/linear.h"
#include "graticule/parallel/parameters.h"

namespace graticule {

/// How a block's linear layers are spread over the ranks of the tensor axis. Size 1: plain linear layers.
struct TensorLayers {
  Group group;                     ///< the tensor axis
  std::vector<int64_t> tokens_of;  ///< tokens each of its ranks holds between the layers; may be 0
};

/// This rank's part of `n` heads or hidden units.
Span share_of(const TensorLayers& layers, int64_t n);
/// The cut of a parameter whose dim `dim` this rank holds `pieces` of; nothing when there is one rank.
std::optional<Cut> cut_by(const TensorLayers& layers, int64_t dim, std::vector<Span> pieces);

/// [B, t, C] of my tokens -> [B, T, O] of all the tokens of the group, my rows of the weight [O, C] and of
/// the bias [O]. Backward: my tokens are gathered a second time for dW, dx is reduce-scattered (summed in
/// fp32). With `deferred` the second gather is deferred too, so all ranks of the group must run their
/// deferred gradients in the same order among their collectives. Errors and `value` as linear's: with
/// Value::skipped nothing is sent forward.
at::Tensor column_linear(const TensorLayers& layers, const at::Tensor& x_BtC, const at::Tensor& weight_OC,
                         const std::optional<at::Tensor>& bias_O = std::nullopt,
                         std::shared_ptr<DeferredGradients> deferred = nullptr,
                         Value value = Value::computed);

/// [B, T, I] -> [B, t, C]: my columns of the weight [C, I], the tokens reduce-scattered (summed in fp32), the
/// whole bias [C] added once. Backward: dy is gathered once; the bias's gradient is that of my tokens, to be
/// summed over the group as every whole parameter's.
at::Tensor row_linear(const TensorLayers& layers, const at::Tensor& x_BTI, const at::Tensor& weight_CI,
                      const std::optional<at::Tensor>& bias_C = std::nullopt,
                      std::shared_ptr<DeferredGradients> deferred = nullptr, Value value = Value::computed);

}  // namespace graticule

// Tensor parallelism (Megatron-LM, arXiv 1909.08053, section 3) with sequence-parallel regions (arXiv
// 2205.05198, section 4.2.2). The ranks of the tensor axis share the weights of each pair of linear layers,
// and between the pairs they share the tokens. The model's branches call these layers. Bytes and memory:
// docs/tensor.md.
//
//   my t tokens --column: gather tokens, my rows of W--> all T tokens, my width
//               --row: my columns of W, sum over ranks, scatter tokens--> my t tokens
//
// Legend: B batch, t this rank's tokens, T all tokens of the group, C a width that is not cut, I/O
// input/output width of this rank's part of the weight.
#pragma once

#include <ATen/core/Tensor.h>

#include "graticule/comm/group.h"
#include "graticule/kernel/linear.h"
#include "graticule/parallel/parameters.h"

namespace graticule {

/// How a block's linear layers are spread over the ranks of the tensor axis. With one rank they are plain
/// linear layers.
struct TensorLayers {
  Group group;                     ///< the tensor axis
  std::vector<int64_t> tokens_of;  ///< tokens of each of its ranks between the layers; may be 0
};

/// This rank's part of `n` heads or hidden units.
Span share_of(const TensorLayers& layers, int64_t n);
/// The cut of a parameter of which this rank has the ranges `pieces` of dim `dim`; nothing when there is one
/// rank.
std::optional<Cut> cut_by(const TensorLayers& layers, int64_t dim, std::vector<Span> pieces);

/// [B, t, C] of my tokens -> [B, T, O] of all tokens of the group, with my rows of the weight [O, C] and of
/// the bias [O]. Collective. In the backward my tokens are gathered a second time for dW, and dx is
/// reduce-scattered (summed in fp32). With `deferred` the second gather is deferred too, so all ranks of the
/// group must run their deferred gradients in the same order among their collectives. Errors and `value` as
/// in linear (kernel/linear.h); with Value::skipped the forward sends nothing.
at::Tensor column_linear(const TensorLayers& layers, const at::Tensor& x_BtC, const at::Tensor& weight_OC,
                         const std::optional<at::Tensor>& bias_O = std::nullopt,
                         std::shared_ptr<DeferredGradients> deferred = nullptr,
                         Value value = Value::computed);

/// [B, T, I] -> [B, t, C], with my columns of the weight [C, I]. The products are summed in fp32 and the
/// tokens scattered; the whole bias [C] is added once. Collective. In the backward dy is gathered once. The
/// bias's gradient is that of my tokens; it must be summed over the group, as that of every parameter that is
/// not cut. Errors and `value` as in column_linear.
at::Tensor row_linear(const TensorLayers& layers, const at::Tensor& x_BTI, const at::Tensor& weight_CI,
                      const std::optional<at::Tensor>& bias_C = std::nullopt,
                      std::shared_ptr<DeferredGradients> deferred = nullptr, Value value = Value::computed);

}  // namespace graticule

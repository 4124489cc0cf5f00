// The layout of heads in messages. Tokens are the first dim, so that the tokens of a rank are one range of
// rows, and several tensors are side by side in one message. The kernel reads a received message through
// strides, so nothing is unpacked.
//
// Legend: B batch, T tokens, X heads of all tensors of a message, x heads of one tensor, D head width.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "graticule/core/span.h"

namespace graticule {

/// Copies the tensors, [B, T, x, D] each, side by side into wire_TBXD; converts to its dtype.
void pack_heads(const std::vector<at::Tensor>& tensors_BTxD, const at::Tensor& wire_TBXD);

/// The same into a new tensor [T, B, X, D].
at::Tensor packed_heads(const std::vector<at::Tensor>& tensors_BTxD, at::ScalarType dtype);

/// Heads [first, first + count) of a message, as a view [B, T, count, D].
at::Tensor wire_heads(const at::Tensor& wire_TBXD, int64_t first, int64_t count);

/// The heads `heads` of x_BTHD, as a view.
at::Tensor heads_in(const at::Tensor& x_BTHD, const Span& heads);

}  // namespace graticule

// Heads as they travel: tokens first, so that a rank's tokens are one range of rows, and several tensors side
// by side in one message. The kernel reads what arrives through its strides: nothing is unpacked.
//
// Legend: B batch, T tokens, X heads of all tensors of a message, x heads of one, D head width.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "graticule/core/span.h"

namespace graticule {

/// Copies the tensors, [B, T, x, D] each, side by side into wire_TBXD; converts to its dtype.
void pack_heads(const std::vector<at::Tensor>& tensors_BTxD, const at::Tensor& wire_TBXD);

/// The same into a new tensor.
at::Tensor packed_heads(const std::vector<at::Tensor>& tensors_BTxD, at::ScalarType dtype);

/// Heads [first, first + count) of a message, [B, T, count, D]; a view.
at::Tensor wire_heads(const at::Tensor& wire_TBXD, int64_t first, int64_t count);

/// Some heads of x_BTHD; a view.
at::Tensor heads_in(const at::Tensor& x_BTHD, const Span& heads);

}  // namespace graticule

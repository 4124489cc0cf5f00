// Differentiable collectives: each is followed, in collectives.cpp, by its derivative (its transpose).
//
//   forward                        backward
//   all_to_all(x, send, receive)   all_to_all(dy, receive, send)
//   all_gather(x)                  reduce_scatter(dy)      [fp32 sum]
//   reduce_scatter(x)              all_gather(dy)
//   all_reduce(x)                  dy                      [the sum feeds one computation on every rank]
//   replicate(x) = x               all_reduce(dy)          [one value feeds different computations]
//   shift(x, by)                   shift(dy, -by)
//
// The backward is collective too: every rank's result must reach the loss, in the same order.
#pragma once

#include <ATen/core/Tensor.h>

#include "graticule/comm/group.h"

namespace graticule {

/// Arguments, shapes and errors as the Group operations of the same names. Each waits for its result.
at::Tensor all_to_all(const at::Tensor& rows, const Group& group, const std::vector<int64_t>& send_rows,
                      const std::vector<int64_t>& receive_rows);
at::Tensor all_gather(const at::Tensor& rows, const Group& group, const std::vector<int64_t>& rows_of);
at::Tensor reduce_scatter(const at::Tensor& rows, const Group& group, const std::vector<int64_t>& rows_of);
at::Tensor all_reduce(const at::Tensor& values, const Group& group);
at::Tensor replicate(const at::Tensor& values, const Group& group);
/// rows_of[r]: rows that rank r holds before the shift.
at::Tensor shift(const at::Tensor& rows, const Group& group, const std::vector<int64_t>& rows_of, int by = 1);

}  // namespace graticule

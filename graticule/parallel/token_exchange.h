// Moves tokens between two ways of spreading one sequence over ranks: each rank has a contiguous range in both, in the
// order of the ranks, but of other sizes.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "graticule/comm/group.h"

namespace graticule {

/// x_BTC of from[rank] tokens -> to[rank] tokens; both lists have the same sum. Differentiable. Collective, also in
/// backward.
at::Tensor exchange_tokens(const at::Tensor& x_BTC, const Group& group, const std::vector<int64_t>& from,
                           const std::vector<int64_t>& to);

}  // namespace graticule

// Attention of some queries over some of the keys: a part of a result that is summed or merged over ranks. A
// part may have no keys, which the kernel refuses. Legend: scheme.h; N, M the queries and the keys of the part.
#pragma once

#include "graticule/kernel/flash.h"

namespace graticule {

/// A vector with a number for each head and query, in the form of the tensors that travel beside it: a head of
/// width 1. And back.
at::Tensor as_heads(const at::Tensor& x_BHN);
at::Tensor from_heads(const at::Tensor& x_BNH1);

/// out in `dtype`, and the log-sum-exp: -infinity without keys.
FlashResult attend_part(const at::Tensor& q_BNHD, const at::Tensor& k_BMGD, const at::Tensor& v_BMGD,
                        at::ScalarType dtype);

/// What the backward needs of the merged result: its log-sum-exp, and either its out or its delta.
struct Merged {
  at::Tensor lse_BHN, out_BNHD, delta_BHN;
};

/// The part of dq, and dk and dv of these queries, in fp32.
FlashGradients differentiate_part(const at::Tensor& dout_BNHD, const at::Tensor& q_BNHD,
                                  const at::Tensor& k_BMGD, const at::Tensor& v_BMGD, const Merged& merged);

}  // namespace graticule

// The bare MPI calls that the operations of a Group are measured against.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>

namespace graticule {

enum class RawCall { all_to_all, all_gather, reduce_scatter, all_reduce, broadcast, exchange, barrier };

/// The blocking MPI call of that meaning over all ranks of the job, from `in` to `out` (flat, dense, equal
/// shares of all ranks), to be called any number of times. `broadcast` works on `out` and from rank 0;
/// `exchange` sends to the next rank and receives from the one before. Empty when MPI was not built in or has
/// not been joined, or knows no such type (sums of bf16 and fp16).
std::function<void()> raw_mpi(RawCall call, const at::Tensor& in, const at::Tensor& out);

}  // namespace graticule

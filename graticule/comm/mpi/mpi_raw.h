// Plain blocking MPI calls. Only a benchmark uses them: it compares the operations of a Group with them.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>

namespace graticule {

enum class RawCall { all_to_all, all_gather, reduce_scatter, all_reduce, broadcast, exchange, barrier };

/// A function that runs the blocking MPI call `call` over all ranks of the job, from `in` to `out`, any
/// number of times. Both are flat and dense, with equal shares for all ranks. `broadcast` sends `out` of rank
/// 0. `exchange` sends to the next rank and receives from the one before. The function is empty when MPI was
/// not built in or not started, or when MPI has no such type (sums of bf16 and fp16).
std::function<void()> raw_mpi(RawCall call, const at::Tensor& in, const at::Tensor& out);

}  // namespace graticule

// Which kernels meta tensors (tensors without memory) represent. A dry run allocates the scratch of those
// kernels.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "graticule/kernel/flash_cpu.h"

namespace graticule {

/// The properties of a CPU that decide which scratch its kernels allocate.
struct CpuKernels {
  CpuLevel attention;   ///< `aten`: attention runs by ATen's kernel
  int64_t block_terms;  ///< the most terms of a product that linear layers run by matrix_product; 0: none
};

/// Those of this processor, for a dtype.
CpuKernels cpu_kernels(at::ScalarType dtype);

/// Those of the CPU that computes with x. Nothing for a GPU, whose kernels have no scratch that is booked. A
/// meta tensor represents one of this processor, or of the kernels of this thread's innermost StandIn.
std::optional<CpuKernels> kernels_for(const at::Tensor& x);

/// During its lifetime, meta tensors of this thread represent those of other kernels; nothing: of a GPU.
class StandIn {
 public:
  explicit StandIn(std::optional<CpuKernels> kernels);
  ~StandIn();
  StandIn(const StandIn&) = delete;
  StandIn& operator=(const StandIn&) = delete;

  const std::optional<CpuKernels>& kernels() const { return kernels_; }

 private:
  std::optional<CpuKernels> kernels_;
  const StandIn* outer_;
};

}  // namespace graticule

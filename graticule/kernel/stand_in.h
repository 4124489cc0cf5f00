// Whose kernels tensors without memory (meta) stand for: a dry run allocates what those kernels do.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "graticule/kernel/flash_cpu.h"

namespace graticule {

/// What decides which scratch a CPU's kernels take.
struct CpuKernels {
  CpuLevel attention;   ///< `aten`: attention packs nothing
  bool packs_products;  ///< linear layers run by matrix_product
};

/// This processor's, for a dtype.
CpuKernels cpu_kernels(at::ScalarType dtype);

/// Those that compute with x. Nothing on a GPU, whose kernels have no scratch that is booked. A meta tensor
/// stands for one of this processor's, or for what the innermost StandIn of this thread says.
std::optional<CpuKernels> kernels_for(const at::Tensor& x);

/// Until it goes out of scope, this thread's meta tensors stand for those of other kernels; nothing: a GPU's.
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

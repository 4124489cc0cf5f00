#include "graticule/plan/cpu_scratch.h"

#include <ATen/Parallel.h>

#include "graticule/attention/kernel/flash_cpu.h"
#include "graticule/attention/kernel/matrix_product.h"

namespace graticule {

Scratch cpu_scratch(Precision precision) {
  const at::ScalarType type = precision == Precision::bf16 ? at::kBFloat16 : at::kFloat;
  const at::Tensor some = at::empty({64, 64}, at::TensorOptions(at::kMeta).dtype(type));
  const CpuLevel level = cpu_level(type);
  const int64_t packed = level == CpuLevel::aten ? 0 : level == CpuLevel::avx512_bf16 ? 2 : 4;
  return {at::get_num_threads(), packed, prefers_matrix_product(some, some)};
}

Scratch scratch_of(const TrainOptions& train) {
  return train.device == "cpu" ? cpu_scratch(train.precision) : Scratch{};
}

}  // namespace graticule

#include "graticule/kernel/product_choice.h"

namespace graticule {

int64_t most_block_terms(at::ScalarType dtype, const ProcessorKind& kind) {
  if (kind.level == CpuLevel::aten) return 0;
  if (dtype == at::kHalf) return kind.multiplies_half ? 0 : all_terms;  // else ATen has no fast product
  if (dtype == at::kBFloat16) return kind.level <= CpuLevel::avx512 ? all_terms : 0;
  if (dtype != at::kFloat) return 0;
  if (kind.level == CpuLevel::avx2) return kind.intel ? 512 : 511;  // 512 is a common width
  return kind.intel ? 64 : all_terms;  // MKL does not use AVX-512 on processors of others
}

int64_t most_block_terms(at::ScalarType dtype) { return most_block_terms(dtype, processor_kind(dtype)); }

}  // namespace graticule

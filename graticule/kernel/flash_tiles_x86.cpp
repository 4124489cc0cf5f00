// Chooses the tiles by the instruction sets of this x86 processor.
#include <ATen/Version.h>
#include <ATen/core/Tensor.h>
#include <ATen/cpu/Utils.h>
#include <cpuid.h>

#include "graticule/kernel/flash_cpu.h"
#include "graticule/kernel/matrix_blocks.h"
#include "graticule/kernel/product_choice.h"

namespace graticule {

extern const FlashTiles tiles_avx2, tiles_avx512, tiles_avx512_bf16, tiles_amx;
extern const MatrixPacking packing_avx2, packing_avx512;

bool cpu_runs(CpuLevel level) {
  const bool avx2 =
      __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
  switch (level) {
    case CpuLevel::avx2:
      return avx2;
    case CpuLevel::avx512:
      return avx512;
    case CpuLevel::avx512_bf16:
      return avx512 && __builtin_cpu_supports("avx512bf16");
    case CpuLevel::amx: {
      static const bool allowed = at::cpu::init_amx();  // Linux gives the tiles to programs that ask for them
      return allowed && cpu_runs(CpuLevel::avx512_bf16) && __builtin_cpu_supports("amx-bf16");
    }
    default:
      return true;
  }
}

CpuLevel cpu_level(at::ScalarType dtype) {
  if (at::get_cpu_capability() == "AVX2") return cpu_runs(CpuLevel::avx2) ? CpuLevel::avx2 : CpuLevel::aten;
  if (dtype == at::kBFloat16 && cpu_runs(CpuLevel::amx)) return CpuLevel::amx;
  const bool multiplies_slowly =
      __builtin_cpu_is("intel");  // bf16 products at half the rate of fp32's (docs)
  if (dtype == at::kBFloat16 && cpu_runs(CpuLevel::avx512_bf16) && !multiplies_slowly)
    return CpuLevel::avx512_bf16;
  if (cpu_runs(CpuLevel::avx512)) return CpuLevel::avx512;
  return cpu_runs(CpuLevel::avx2) ? CpuLevel::avx2 : CpuLevel::aten;
}

const FlashTiles* cpu_tiles(CpuLevel level) {
  switch (level) {
    case CpuLevel::avx2:
      return &tiles_avx2;
    case CpuLevel::avx512:
      return &tiles_avx512;
    case CpuLevel::avx512_bf16:
      return &tiles_avx512_bf16;
    case CpuLevel::amx:
      return &tiles_amx;
    default:
      return nullptr;
  }
}

ProcessorKind processor_kind(at::ScalarType dtype) {
  unsigned a = 0, b = 0, c = 0, d = 0;
  __get_cpuid_count(7, 0, &a, &b, &c, &d);
  constexpr unsigned avx512_fp16 = 1u << 23;  // of edx; the compiler's own test is younger than GCC 12's
  return {cpu_level(dtype), __builtin_cpu_is("intel") != 0, (d & avx512_fp16) != 0};
}

const MatrixPacking* matrix_packing() {
  if (cpu_runs(CpuLevel::avx512)) return &packing_avx512;
  return cpu_runs(CpuLevel::avx2) ? &packing_avx2 : nullptr;
}

}  // namespace graticule

#include "bench/dtype.h"

#include "graticule/core/error.h"

namespace graticule {

c10::ScalarType dtype_named(const char* command, const std::string& name, bool or_fp64) {
  if (name == "bf16") return c10::kBFloat16;
  if (name == "fp16") return c10::kHalf;
  if (name == "fp32") return c10::kFloat;
  if (name == "fp64" && or_fp64) return c10::kDouble;
  refuse(command, "dtype \"", name, "\": choose bf16, fp16", or_fp64 ? ", fp32 or fp64" : " or fp32");
}

}  // namespace graticule

// The number types of the benchmarks' tensors.
#pragma once

#include <c10/core/ScalarType.h>

#include <string>

namespace graticule {

/// The type of a name: bf16, fp16 or fp32, and fp64 if `or_fp64`. `command` refuses other names.
c10::ScalarType dtype_named(const char* command, const std::string& name, bool or_fp64 = false);

}  // namespace graticule

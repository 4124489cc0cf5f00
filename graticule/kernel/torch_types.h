// LibTorch's types for the recipe's choices of precision and device.
#pragma once

#include <c10/core/DeviceType.h>
#include <c10/core/ScalarType.h>

#include "graticule/core/choices.h"

namespace graticule {

inline c10::ScalarType scalar_type(Precision precision) {
  return precision == Precision::bf16 ? c10::kBFloat16 : c10::kFloat;
}

inline c10::DeviceType device_type(DeviceKind device) {
  return device == DeviceKind::cuda ? c10::DeviceType::CUDA : c10::DeviceType::CPU;
}

}  // namespace graticule

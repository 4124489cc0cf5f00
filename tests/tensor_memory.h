// Counts the bytes of CPU tensors that this thread allocates, as LibTorch's allocator reports them.
#pragma once

#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>

#include <algorithm>
#include <functional>
#include <memory>

namespace graticule {

struct TensorMemory : c10::MemoryReportingInfoBase {
  void reportMemoryUsage(void* /*block*/, int64_t size, size_t /*total*/, size_t /*reserved*/,
                         c10::Device /*device*/) override {
    peak = std::max(peak, held += size);
  }
  bool memoryProfilingEnabled() const override { return true; }
  int64_t held = 0, peak = 0;
};

/// The most that tensors made by `work` on this thread take at once.
inline int64_t peak_tensor_bytes(const std::function<void()>& work) {
  const auto memory = std::make_shared<TensorMemory>();
  const c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE, memory);
  work();
  return memory->peak;
}

}  // namespace graticule

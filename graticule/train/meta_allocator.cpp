#include "graticule/train/meta_allocator.h"

#include <c10/core/Allocator.h>

#include <memory>

namespace graticule {

namespace {

// A block without data. Its context gives it an address and reports when it is freed.
struct MetaBlock {
  size_t bytes;
};

void report(MetaBlock* block, int64_t bytes) {
  c10::reportMemoryUsageToProfiler(block, bytes, 0, 0, c10::Device(c10::DeviceType::Meta));
}

void give_back(void* context) {
  const std::unique_ptr<MetaBlock> block(static_cast<MetaBlock*>(context));
  report(block.get(), -static_cast<int64_t>(block->bytes));
}

class MetaAllocator : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    const c10::Device device(c10::DeviceType::Meta);
    if (bytes == 0) return {nullptr, device};
    auto block = std::make_unique<MetaBlock>(MetaBlock{bytes});
    report(block.get(), static_cast<int64_t>(bytes));
    return {nullptr, block.release(), &give_back, device};
  }
  void copy_data(void*, const void*, size_t) const override {}
};

}  // namespace

void book_meta_tensors() {
  static MetaAllocator allocator;
  static const bool installed = (c10::SetAllocator(c10::DeviceType::Meta, &allocator), true);
  static_cast<void>(installed);
}

}  // namespace graticule

// Tests that kernels on meta tensors allocate and free the same bytes as on real ones.

#include <ATen/Parallel.h>
#include <ATen/ops/zeros.h>
#include <c10/core/Allocator.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "graticule/kernel/flash_cpu.h"
#include "graticule/kernel/flash_scratch.h"
#include "graticule/kernel/stand_in.h"
#include "tests/cases.h"

namespace graticule {
namespace {

struct Bytes {
  int64_t live = 0, peak = 0;
};

// While it exists, counts the bytes that are allocated on one device.
class Ledger : public c10::Allocator {
 public:
  explicit Ledger(c10::DeviceType type) : type_(type), before_(c10::GetAllocator(type)) {
    c10::SetAllocator(type_, this);
  }
  ~Ledger() override { c10::SetAllocator(type_, before_); }

  c10::DataPtr allocate(size_t count) override {
    auto entry = std::make_unique<Entry>(bytes, static_cast<int64_t>(count), before_->allocate(count));
    void* data = entry->inner.get();
    const c10::Device device = entry->inner.device();
    return {data, entry.release(), [](void* kept) { std::unique_ptr<Entry>(static_cast<Entry*>(kept)); },
            device};
  }
  void copy_data(void* to, const void* from, size_t count) const override {
    before_->copy_data(to, from, count);
  }

  std::shared_ptr<Bytes> bytes = std::make_shared<Bytes>();

 private:
  struct Entry {
    Entry(std::shared_ptr<Bytes> total, int64_t size, c10::DataPtr data)
        : bytes(std::move(total)), count(size), inner(std::move(data)) {
      bytes->live += count;
      bytes->peak = std::max(bytes->peak, bytes->live);
    }
    ~Entry() { bytes->live -= count; }
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;
    std::shared_ptr<Bytes> bytes;
    int64_t count;
    c10::DataPtr inner;
  };
  c10::DeviceType type_;
  c10::Allocator* before_;
};

// The peak bytes of a forward and of a backward on a device, with their results.
struct Peaks {
  int64_t forward, backward;
  bool operator==(const Peaks&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Peaks& x) {
  return out << x.forward << " forward, " << x.backward << " backward";
}

Peaks peaks_on(c10::DeviceType type, const cases::AttentionCase& c) {
  const auto make = [&](int64_t tokens, int64_t heads) {
    return at::zeros({c.batch, tokens, heads, c.width}, at::TensorOptions(type).dtype(c.dtype));
  };
  const at::Tensor q = make(c.queries, c.heads), k = make(c.keys, c.groups);
  const FlashResult result = flash_forward(q, k, k);
  const auto peak = [&](const auto& call) {
    const Ledger ledger(type);
    call();
    EXPECT_EQ(ledger.bytes->live, 0);
    return ledger.bytes->peak;
  };
  return {peak([&] { flash_forward(q, k, k); }),
          peak([&] { flash_backward(q, q, k, k, result.out_BTHD, result.lse_BHT); })};
}

bool has_tiles(at::ScalarType dtype) { return cpu_tiles(cpu_level(dtype)) != nullptr; }

TEST(DryKernel, HasTheMemoryOfThisProcessors) {
  at::set_num_threads(1);
  for (const auto dtype : {at::kFloat, at::kBFloat16, at::kHalf}) {
    if (!has_tiles(dtype)) continue;
    for (const auto& c : {cases::AttentionCase{1, 523, 401, 1, 1, 24, dtype},
                          cases::AttentionCase{2, 300, 517, 4, 2, 40, dtype},
                          cases::AttentionCase{1, 1, 3, 6, 3, 7, dtype}}) {
      EXPECT_EQ(peaks_on(c10::kMeta, c), peaks_on(c10::kCPU, c)) << c;
    }
  }
}

TEST(DryKernel, ScratchIsCountedFromSizesForEveryInstructionSet) {
  for (const CpuLevel level : {CpuLevel::avx2, CpuLevel::avx512, CpuLevel::avx512_bf16, CpuLevel::amx}) {
    const FlashTiles* tiles = cpu_runs(level) ? cpu_tiles(level) : nullptr;
    if (!tiles) continue;
    const StandIn scope(CpuKernels{level, 0});
    for (const int threads : {1, 3}) {
      at::set_num_threads(threads);
      for (const auto& c :
           {cases::AttentionCase{1, 523, 401, 1, 1, 24}, cases::AttentionCase{2, 300, 517, 4, 2, 40},
            cases::AttentionCase{1, 1, 3, 6, 3, 7}, cases::AttentionCase{1, 70'000, 9, 2, 1, 8}}) {
        const int64_t q = c.batch * c.queries * c.heads, k = c.batch * c.keys * c.groups;
        const FlashSizes sizes{c.batch, c.queries, c.heads, c.keys, c.groups, c.width};
        const Peaks counted{4 * q * (c.width + 1) + forward_scratch(*tiles, sizes, threads),
                            4 * c.width * (q + 2 * k) + backward_scratch(*tiles, sizes, threads)};
        EXPECT_EQ(peaks_on(c10::kMeta, c), counted)
            << c << ", level " << static_cast<int>(level) << ", " << threads << " threads";
      }
    }
  }
  at::set_num_threads(1);
}

TEST(DryKernel, AGpuTakesNone) {
  const StandIn gpu(std::nullopt);
  const cases::AttentionCase c{2, 300, 517, 4, 2, 40};
  const int64_t q = c.batch * c.queries * c.heads, k = c.batch * c.keys * c.groups;
  EXPECT_EQ(peaks_on(c10::kMeta, c), (Peaks{4 * q * (c.width + 1), 4 * c.width * (q + 2 * k)}));
}

TEST(DryKernel, HoldsNoMoreForMoreQueriesThanARange) {
  if (!has_tiles(at::kFloat)) GTEST_SKIP() << "no tiles on this processor";
  const auto scratch = [](int64_t queries) {
    const cases::AttentionCase c{1, queries, 1000, 2, 1, 64};
    const int64_t gradients = 4 * c.width * (c.queries * c.heads + 2 * c.keys * c.groups);
    return peaks_on(c10::kMeta, c).backward - gradients;
  };
  EXPECT_EQ(scratch(8 * most_backward_queries), scratch(most_backward_queries));
  EXPECT_LT(scratch(most_backward_queries / 2), scratch(most_backward_queries));
}

}  // namespace
}  // namespace graticule

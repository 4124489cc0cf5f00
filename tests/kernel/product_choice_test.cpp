// Compares the choice of a product with what was measured. Add rows when you measure another processor:
// `graticule bench linear` prints the two rates.
#include "graticule/kernel/product_choice.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace graticule {
namespace {

constexpr ProcessorKind zen_3{CpuLevel::avx2, false, false}, zen_5{CpuLevel::avx512, false, false},
    sapphire_rapids{CpuLevel::avx512, true, true}, intel_avx2{CpuLevel::avx2, true, false};

/// GF/s of one thread for a product with K terms.
struct Measured {
  const char* product;
  ProcessorKind kind;
  int64_t terms;
  double blocks, aten;
};

TEST(ProductChoice, IsTheFasterOneWhereItWasMeasured) {
  const Measured rows[] = {
      {"y 4096x64x64", zen_3, 64, 86, 83},
      {"dx 4096x64x64", zen_3, 64, 92, 84},
      {"dW 4096x64x64", zen_3, 4096, 69, 76},
      {"dx 2944x64x256", zen_3, 256, 86, 74},
      {"dW 2944x64x256", zen_3, 2944, 63, 73},
      {"y 4096x512x512", zen_3, 512, 83, 87},
      {"dx 4096x512x512", zen_3, 512, 74, 86},
      {"dW 4096x512x512", zen_3, 4096, 71, 88},
      {"dx 4096x512x2048", zen_3, 2048, 70, 88},
      {"y 4096x64x64", zen_5, 64, 232, 104},
      {"dW 4096x64x64", zen_5, 4096, 222, 101},
      {"dx 2048x2048x2048", zen_5, 2048, 230, 109},
      {"y 4096x32x32", sapphire_rapids, 32, 98.1, 85.9},
      {"dx 4096x32x32", sapphire_rapids, 32, 120.6, 129.8},
      {"dW 4096x32x32", sapphire_rapids, 4096, 103.7, 138.7},
      {"y 4096x64x64", sapphire_rapids, 64, 106.7, 99.3},
      {"dx 2944x64x256", sapphire_rapids, 256, 138.4, 138.6},
      {"dW 2944x64x256", sapphire_rapids, 2944, 108.8, 120.9},
      {"y 4096x128x512", sapphire_rapids, 128, 119.5, 134.4},
      {"dx 4096x128x512", sapphire_rapids, 512, 151.7, 147.9},
      {"dx 4096x512x2048", sapphire_rapids, 2048, 122.5, 151.0},
      {"dW 4096x2048x512", sapphire_rapids, 4096, 122.5, 143.9},
      {"y 4096x64x64", intel_avx2, 64, 86.6, 77.7},
      {"y 4096x512x2048", intel_avx2, 512, 86.7, 84.4},
      {"dx 4096x2048x512", intel_avx2, 512, 95.8, 89.9},
      {"dx 4096x512x2048", intel_avx2, 2048, 77.8, 85.4},
      {"dW 4096x512x2048", intel_avx2, 4096, 70.9, 89.8},
  };
  for (const Measured& row : rows) {
    const bool by_blocks = row.terms <= most_block_terms(at::kFloat, row.kind);
    EXPECT_GE(by_blocks ? row.blocks : row.aten, 0.92 * std::max(row.blocks, row.aten))
        << row.product << ", level " << static_cast<int>(row.kind.level) << (row.kind.intel ? ", Intel" : "");
  }
}

TEST(ProductChoice, LeavesToAtenWhatTheProcessorMultipliesItself) {
  EXPECT_EQ(most_block_terms(at::kHalf, sapphire_rapids), 0);
  EXPECT_EQ(most_block_terms(at::kHalf, zen_5), all_terms);
  EXPECT_EQ(most_block_terms(at::kBFloat16, {CpuLevel::amx, true, true}), 0);
  EXPECT_EQ(most_block_terms(at::kBFloat16, {CpuLevel::avx512_bf16, false, false}), 0);
  EXPECT_EQ(most_block_terms(at::kBFloat16, zen_3), all_terms);
  EXPECT_EQ(most_block_terms(at::kFloat, {CpuLevel::aten, false, false}), 0);
}

}  // namespace
}  // namespace graticule

// The rate of oneDNN's brgemm alone, which the benchmarks compare with. brgemm is a function of oneDNN that
// multiplies two small matrices in the cache.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace graticule {

/// The sizes of one product, [rows, inner] x [inner, columns].
struct SmallProduct {
  int64_t rows, columns, inner;
};

/// Runs each product `turns` times on every thread at once, in fp32 or bf16, on operands of ones that stay in
/// the cache. Returns GFLOP/s of all threads; nothing where oneDNN has no brgemm for this processor and dtype.
/// In bf16 `inner` is rounded up to an even number.
std::optional<double> brgemm_rate(const std::vector<SmallProduct>& products, bool as_fp32, int64_t turns);

}  // namespace graticule

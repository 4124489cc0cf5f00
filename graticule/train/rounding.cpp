#include "graticule/train/rounding.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/bitwise_right_shift.h>

#include <bit>

namespace graticule {

namespace {

// x ^= x >> shift, with the bits taken as an unsigned number.
void fold(const at::Tensor& x, int shift) {
  x.bitwise_xor_(at::bitwise_right_shift(x, shift).bitwise_and_((int64_t{1} << (32 - shift)) - 1));
}

}  // namespace

// Puts (number + key) through the mixer "lowbias32" (C. Wellons, "Prospecting for hash functions"), in
// arithmetic modulo 2^32.
at::Tensor random_bits(uint64_t key, int64_t begin, int64_t count, const at::Device& device) {
  const auto wrapped = [](uint64_t number) { return std::bit_cast<int32_t>(static_cast<uint32_t>(number)); };
  at::Tensor x = at::arange(count, at::TensorOptions(at::kInt).device(device));
  x.add_(wrapped(key + static_cast<uint64_t>(begin)));
  fold(x, 16);
  x.mul_(wrapped(0x7feb352d));
  fold(x, 15);
  x.mul_(wrapped(0x846ca68b));
  fold(x, 16);
  return x;
}

// bf16 is the upper half of the bits of fp32. Adding the draw to the lower half carries into the upper half
// with the probability (lower half) / 2^16, which is the value's distance in steps of bf16. The sign is a
// separate bit, so this is right on both sides of zero.
void round_to_bf16(const at::Tensor& values, const at::Tensor& draw, const at::Tensor& rounded) {
  values.view(at::kInt).add_(draw).bitwise_and_(~0xffff);
  rounded.copy_(values);
}

}  // namespace graticule

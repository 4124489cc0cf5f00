// The C++ types of stored numbers.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "graticule/core/error.h"
#include "graticule/data/packing.h"

namespace graticule {

/// A number of half precision, as it is stored.
struct Half {
  uint16_t bits;
  explicit operator double() const {
    const int exponent = bits >> 10 & 31;
    const int mantissa = bits & 1023;
    const double sign = bits >> 15 ? -1 : 1;
    if (exponent == 31) return mantissa ? std::numeric_limits<double>::quiet_NaN() : sign * HUGE_VAL;
    return sign * (exponent ? std::ldexp(1024 + mantissa, exponent - 25) : std::ldexp(mantissa, -24));
  }
};

/// Calls visit(T{}) with the C++ type of `type`.
template <class Visitor>
auto with_number_type(NumberType type, Visitor visit) {
  switch (type) {
    case NumberType::f2:
      return visit(Half{});
    case NumberType::f4:
      return visit(float{});
    case NumberType::f8:
      return visit(double{});
    case NumberType::i1:
      return visit(int8_t{});
    case NumberType::i2:
      return visit(int16_t{});
    case NumberType::i4:
      return visit(int32_t{});
    case NumberType::i8:
      return visit(int64_t{});
    case NumberType::u1:
      return visit(uint8_t{});
    case NumberType::u2:
      return visit(uint16_t{});
    case NumberType::u4:
      return visit(uint32_t{});
    case NumberType::u8:
      return visit(uint64_t{});
  }
  GRATICULE_CHECK(false, "number type");
}

}  // namespace graticule

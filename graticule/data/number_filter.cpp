#include "graticule/data/number_filter.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "graticule/core/error.h"
#include "graticule/data/number_types.h"

namespace graticule {

namespace {

// The same without half precision, which the readers of the metadata refuse for filters.
template <class Visitor>
void with_type(NumberType type, Visitor visit) {
  with_number_type(type, [&](auto number) {
    if constexpr (std::is_arithmetic_v<decltype(number)>) {
      visit(number);
    } else {
      GRATICULE_CHECK(false, "number type of a filter");
    }
  });
}

// value as a number of type To, as NumPy's astype: a float beyond an integer's range must not be undefined.
template <class To, class From>
To convert(From value) {
  if constexpr (std::is_integral_v<To> && std::is_floating_point_v<From>) {
    constexpr double bound = 9.2e18;
    const auto wide = static_cast<double>(value);
    return wide > -bound && wide < bound ? static_cast<To>(static_cast<int64_t>(wide)) : To{0};
  } else {
    return static_cast<To>(value);
  }
}

template <class From, class To>
void undo(const std::byte* from, std::byte* to, size_t count, const NumberFilter& filter) {
  // As NumPy: fp32 stays fp32, integers become fp64. Integers of a delta wrap around.
  using Real = std::conditional_t<std::is_same_v<From, float>, float, double>;
  using Sum = std::conditional_t<std::is_floating_point_v<To>, To, uint64_t>;
  Sum sum = 0;
  for (size_t i = 0; i < count; ++i) {
    From stored;
    std::memcpy(&stored, from + i * sizeof(From), sizeof(From));
    To number;
    if (filter.kind == NumberFilter::Kind::delta) {
      sum += convert<Sum>(stored);
      number = static_cast<To>(sum);
    } else if (filter.kind == NumberFilter::Kind::scale_offset) {
      number = convert<To>(static_cast<Real>(stored) / static_cast<Real>(filter.scale) +
                           static_cast<Real>(filter.offset));
    } else {
      number = convert<To>(stored);
    }
    std::memcpy(to + i * sizeof(To), &number, sizeof(To));
  }
}

// To the nearest, ties to even (numcodecs, bitround.py).
template <class Real>
Real rounded(Real value, int kept_bits) {
  using Bits = std::conditional_t<sizeof(Real) == 4, uint32_t, uint64_t>;
  const int dropped = std::numeric_limits<Real>::digits - 1 - kept_bits;
  if (dropped <= 0 || std::isnan(value)) return value;
  auto bits = std::bit_cast<Bits>(value);
  bits += ((bits >> dropped) & 1) + (Bits{1} << (dropped - 1)) - 1;
  return std::bit_cast<Real>((bits >> dropped) << dropped);
}

// As numcodecs, before the change of type: fp32 stays fp32, integers become fp64.
template <class Real>
Real changed(double number, const NumberFilter& filter) {
  const auto value = static_cast<Real>(number);
  const auto scale = static_cast<Real>(filter.scale);
  switch (filter.kind) {
    case NumberFilter::Kind::scale_offset:
      return std::nearbyint((value - static_cast<Real>(filter.offset)) * scale);
    case NumberFilter::Kind::quantize:
      return std::nearbyint(scale * value) / scale;
    case NumberFilter::Kind::round:
      return rounded(value, filter.kept_bits);
    default:
      return value;
  }
}

// A number as `To` stores it. NumPy leaves to the processor what an integer becomes that its type does not have.
template <class To>
std::optional<double> stored_as(double number) {
  if constexpr (std::is_floating_point_v<To>) {
    return static_cast<double>(static_cast<To>(number));
  } else {
    constexpr auto low = static_cast<double>(std::numeric_limits<To>::lowest());
    const double high = std::ldexp(1.0, std::numeric_limits<To>::digits);
    if (number > low - 1 && number < high) return std::trunc(number);
    if (std::is_signed_v<To> && sizeof(To) >= 4) return low;
    return std::nullopt;
  }
}

}  // namespace

std::optional<double> stored_number(double number, const NumberFilter& filter) {
  const double value = filter.decoded.type == NumberType::f4
                           ? static_cast<double>(changed<float>(number, filter))
                           : changed<double>(number, filter);
  std::optional<double> stored;
  with_type(filter.encoded.type, [&](auto to) { stored = stored_as<decltype(to)>(value); });
  return stored;
}

double read_number(double stored, const NumberFilter& filter) {
  double number = 0;
  with_type(filter.encoded.type, [&](auto from) {
    with_type(filter.decoded.type, [&](auto to) {
      const auto encoded = static_cast<decltype(from)>(stored);
      decltype(to) decoded{};
      undo<decltype(from), decltype(to)>(reinterpret_cast<const std::byte*>(&encoded),
                                         reinterpret_cast<std::byte*>(&decoded), 1, filter);
      number = static_cast<double>(decoded);
    });
  });
  return number;
}

Bytes undo_filter(const Bytes& encoded, const NumberFilter& filter, const std::string& where) {
  const size_t width = size_of(filter.encoded.type);
  if (encoded.size % width != 0)
    fail("zarr", where, " is damaged or cut off: ", encoded.size, " bytes are no whole numbers of ", width,
         " bytes: copy it again");
  const size_t count = encoded.size / width;
  Bytes native = Bytes::of_size(encoded.size);
  std::memcpy(native.data.get(), encoded.data.get(), encoded.size);
  if (filter.encoded.swapped) swap_bytes(native.span(), width);
  Bytes decoded = Bytes::of_size(count * size_of(filter.decoded.type));
  with_type(filter.encoded.type, [&](auto from) {
    with_type(filter.decoded.type, [&](auto to) {
      undo<decltype(from), decltype(to)>(native.data.get(), decoded.data.get(), count, filter);
    });
  });
  if (filter.decoded.swapped) swap_bytes(decoded.span(), size_of(filter.decoded.type));
  return decoded;
}

Bytes undo_shuffle(const Bytes& encoded, size_t width) {
  Bytes decoded = Bytes::of_size(encoded.size);
  const size_t count = encoded.size / width;
  for (size_t byte = 0; byte < width; ++byte) {
    for (size_t i = 0; i < count; ++i) decoded.data[i * width + byte] = encoded.data[byte * count + i];
  }
  for (size_t i = count * width; i < encoded.size; ++i) decoded.data[i] = encoded.data[i];
  return decoded;
}

}  // namespace graticule

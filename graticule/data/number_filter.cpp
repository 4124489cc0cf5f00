#include "graticule/data/number_filter.h"

#include <cstring>
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

}  // namespace

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

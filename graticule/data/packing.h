// Numbers as files store them, and how they become fp32 in physical units:
// value = stored * scale_factor + add_offset, NaN where stored is _FillValue or missing_value (CF
// conventions, 8.1 and 2.5.1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string_view>
#include <vector>

namespace graticule {

enum class NumberType { f2, f4, f8, i1, i2, i4, i8, u1, u2, u4, u8 };

size_t size_of(NumberType type);

struct Packing {
  double scale = 1, offset = 0;
  std::vector<double> missing;  ///< stored values that mean NaN
  double wrap = 0;  ///< `_Unsigned`: added to stored values below 0; if negative, to those of its upper half
};

/// From the attributes of an array; `where` names it in errors. A _FillValue or missing_value may be text: a
/// number, "NaN", or base64 of eight little-endian bytes, as xarray writes it into Zarr 3; other text says
/// nothing of numbers. Refuses a scale that is no number.
Packing packing_of(const nlohmann::json& attributes, NumberType type, std::string_view where);

/// stored (native byte order) -> fp32. Arithmetic in fp64.
void unpack(std::span<const std::byte> stored, NumberType type, const Packing& packing, std::span<float> out);

/// stored (native byte order) -> fp64, as it stands.
std::vector<double> to_doubles(std::span<const std::byte> stored, NumberType type);

/// stored (native byte order) -> fp64 in physical units, NaN where missing: for coordinates.
std::vector<double> unpack_doubles(std::span<const std::byte> stored, NumberType type,
                                   const Packing& packing);

/// Reverses the bytes of each number in place.
void swap_bytes(std::span<std::byte> numbers, size_t width);

/// True when stored values of this type and packing are already the fp32 wanted.
bool is_plain(NumberType type, const Packing& packing);

/// "NaN", "Infinity", "-Infinity", a number or true/false -> fp64; refuses anything else.
double parse_fill(const nlohmann::json& fill, std::string_view where);

}  // namespace graticule

// Converts numbers as files store them into fp32 in physical units. The readers of Zarr and NetCDF use it.
//
//   value = stored * scale_factor + add_offset, NaN where stored is _FillValue or missing_value
//
// (CF conventions, sections 8.1 and 2.5.1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string_view>
#include <vector>

namespace graticule {

enum class NumberType { f2, f4, f8, i1, i2, i4, i8, u1, u2, u4, u8 };

/// Bytes of one number.
size_t size_of(NumberType type);

struct Packing {
  double scale = 1, offset = 0;
  std::vector<double> missing;  ///< stored values that mean NaN
  bool names_nan = false;       ///< the attributes name NaN itself as the mark
  /// From `_Unsigned`. Positive: added to stored values below 0. Negative: added to the upper half of the
  /// stored values.
  double wrap = 0;
};

/// The packing that an array's attributes describe; `where` names the array in messages. A _FillValue or
/// missing_value may be a text: a number, "NaN", or base64 of eight little-endian bytes (xarray writes it
/// into Zarr 3). Any other text is ignored. Refuses a scale_factor or add_offset that is not one finite
/// number.
Packing packing_of(const nlohmann::json& attributes, NumberType type, std::string_view where);

/// stored (native byte order) -> fp32 in physical units. The arithmetic is fp64.
void unpack(std::span<const std::byte> stored, NumberType type, const Packing& packing, std::span<float> out);

/// stored (native byte order) -> fp64, without scale, offset or missing values.
std::vector<double> to_doubles(std::span<const std::byte> stored, NumberType type);

/// stored (native byte order) -> fp64 in physical units, NaN where missing: for coordinates.
std::vector<double> unpack_doubles(std::span<const std::byte> stored, NumberType type,
                                   const Packing& packing);

/// Reverses the bytes of each number in place.
void swap_bytes(std::span<std::byte> numbers, size_t width);

/// Whether stored values of this type and packing already are the fp32 wanted, so that a copy is enough.
bool is_plain(NumberType type, const Packing& packing);

/// Reads a fill value: "NaN", "Infinity", "-Infinity", a number or true/false -> fp64. Refuses anything else;
/// `where` opens the message.
double parse_fill(const nlohmann::json& fill, std::string_view where);

}  // namespace graticule

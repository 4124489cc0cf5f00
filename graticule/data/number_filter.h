// The filters of numcodecs that change numbers before a chunk is compressed: delta, fixedscaleoffset, quantize,
// bitround and astype. zarr_codec.h undoes them. Source: the package numcodecs (numcodecs.readthedocs.io).
#pragma once

#include <optional>
#include <string>

#include "graticule/data/file_bytes.h"
#include "graticule/data/packing.h"

namespace graticule {

/// The type of the numbers on one side of a filter.
struct StoredNumber {
  NumberType type = NumberType::f4;
  bool swapped = false;  ///< bytes are in the order of other processors
};

struct NumberFilter {
  /// What encoding does, beside the change of type: decoding undoes delta and scale_offset.
  enum class Kind { convert, delta, scale_offset, quantize, round };
  Kind kind = Kind::convert;
  StoredNumber decoded, encoded;
  /// scale_offset: encoded = round((decoded - offset) scale). quantize: encoded = round(decoded scale) / scale.
  double scale = 1, offset = 0;
  int kept_bits = 0;  ///< of round (bitround): the bits of the mantissa that numbers keep
};

/// Undoes the filter. Fails when the bytes are no whole number of numbers; the message names `where`.
Bytes undo_filter(const Bytes& encoded, const NumberFilter& filter, const std::string& where);

/// The number that encoding makes of one number of type `decoded`. Nothing where the type `encoded` has no such number,
/// and NumPy stores one that could also be a value (32 and 64 bits with a sign: the smallest, which counts as a mark).
std::optional<double> stored_number(double number, const NumberFilter& filter);
/// The number that decoding makes of one number of type `encoded`.
double read_number(double stored, const NumberFilter& filter);

/// Undoes a byte shuffle of elements of `width` bytes (numcodecs and HDF5): bytes left over are at the end.
Bytes undo_shuffle(const Bytes& encoded, size_t width);

}  // namespace graticule

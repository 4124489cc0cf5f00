// The filters of numcodecs that change numbers before a chunk is compressed: delta, fixedscaleoffset, quantize
// and astype. zarr_codec.h undoes them. Source: the package numcodecs (numcodecs.readthedocs.io).
#pragma once

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
  enum class Kind { convert, delta, scale_offset };
  Kind kind = Kind::convert;
  StoredNumber decoded, encoded;
  double scale = 1, offset = 0;  ///< of scale_offset: decoded = encoded / scale + offset
};

/// Undoes the filter. Fails when the bytes are no whole number of numbers; the message names `where`.
Bytes undo_filter(const Bytes& encoded, const NumberFilter& filter, const std::string& where);

/// Undoes a byte shuffle of elements of `width` bytes (numcodecs and HDF5): bytes left over are at the end.
Bytes undo_shuffle(const Bytes& encoded, size_t width);

}  // namespace graticule

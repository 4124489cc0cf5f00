// Arrays as NumPy writes them: .npy files, alone or in an .npz archive (numpy.org, "NPY format", 1.0 to 3.0).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "graticule/data/chunk_cache.h"
#include "graticule/data/stored_array.h"

namespace graticule {

struct NpyLayout {
  NumberType type = NumberType::f4;
  bool swapped = false;  ///< bytes of a number are in the order of other processors
  std::vector<int64_t> shape;
  size_t head = 0;  ///< bytes before the numbers
};

/// Reads the header of a file, which may be a member of an archive (/vsizip/). Refuses types that are no numbers
/// and Fortran's order; fails on a file that is damaged or shorter than its shape says.
NpyLayout read_npy_layout(const std::string& file);

/// All numbers of a file.
std::vector<double> read_npy(const std::string& file);

/// An array whose numbers are those of `file`, with the name, dimensions, shape and attributes of `header`; its
/// first dimension is that of the file, and the file may have dimensions of size 1 more. `whole`: keep the whole
/// array in `cache` once a part is read, as unpacking it again is slow.
std::unique_ptr<StoredArray> open_npy_array(ArrayHeader header, const std::string& file,
                                            const NpyLayout& layout, bool whole,
                                            const std::shared_ptr<ChunkCache>& cache);

/// A file as a data set of one array with this name; its dimensions are called d0, d1, ...
Dataset open_npy(const std::string& file, const std::string& name, const std::shared_ptr<ChunkCache>& cache);

}  // namespace graticule

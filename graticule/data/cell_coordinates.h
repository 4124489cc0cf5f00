// Finds the cells of a data set: a dimension with a latitude and a longitude for each index, or with the numbers of
// HEALPix cells. coordinates.cpp asks it for each dimension. docs/cells.md has the rules for users.
//
// HEALPix is told by a variable of attributes (CF's grid mapping, often called `crs`) or by those of the coordinate with
// the cells' numbers: grid_mapping_name or grid_name "healpix", nside as healpix_nside, nside, or as a power of two
// (refinement_level, healpix_level, level), and the order as healpix_order, indexing_scheme or ordering.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "graticule/core/cells.h"
#include "graticule/data/stored_array.h"

namespace graticule {

/// Whether a dimension of this name is one of cells, such as `cell` or `values`.
bool is_cell_dimension(const std::string& name);

/// Whether an array says how large cells are, or what their numbers are: no field.
bool describes_cells(const ArrayHeader& header);

/// The cells along a dimension of this size; null when it is none of cells. Notes for the user go to `notes`. Refuses
/// HEALPix of another number of cells, numbers that it has not, coordinates that are not those of its cells, and
/// coordinates or areas of another length.
std::shared_ptr<const Cells> cells_along(const Dataset& data, const std::string& dimension, int64_t size,
                                         std::vector<std::string>& notes);

}  // namespace graticule

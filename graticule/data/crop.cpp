#include "graticule/data/crop.h"

#include <algorithm>
#include <vector>

#include "graticule/core/error.h"

namespace graticule {

Crop largest_begin(const Catalog& catalog, const TokenGrid& grid) {
  const Crop room{catalog.layers() - grid.layers, catalog.rows() - grid.rows,
                  catalog.columns() - grid.columns};
  GRATICULE_CHECK(room.layer >= 0 && room.row >= 0 && room.column >= 0, "a grid of ", size_in_words(grid));
  return room;
}

Crop middle_crop(const Catalog& catalog, const TokenGrid& grid) {
  const Crop room = largest_begin(catalog, grid);
  return {room.layer / 2, room.row / 2, room.column / 2};
}

void read_crop(Source& source, const TokenGrid& grid, const std::string& variable, int64_t time_index,
               const Crop& crop, Span rows, std::span<float> out) {
  const Catalog& catalog = source.catalog();
  const int64_t Y = catalog.rows(), X = catalog.columns();
  if (rows.empty()) return;
  if (grid.rows == Y && grid.columns == X) {
    const int64_t first = crop.layer * Y;
    return source.read(variable, time_index, {first + rows.begin, first + rows.end}, out);
  }
  std::vector<float> wide;
  for (int64_t z = rows.begin / grid.rows; z * grid.rows < rows.end; ++z) {
    const Span mine = intersect(rows, {z * grid.rows, (z + 1) * grid.rows});
    const int64_t first = (crop.layer + z) * Y + crop.row - z * grid.rows;
    wide.resize(static_cast<size_t>(mine.size() * X));
    source.read(variable, time_index, {first + mine.begin, first + mine.end}, wide);
    for (int64_t y = 0; y < mine.size(); ++y) {
      std::copy_n(wide.data() + y * X + crop.column, grid.columns,
                  out.data() + (mine.begin - rows.begin + y) * grid.columns);
    }
  }
}

}  // namespace graticule

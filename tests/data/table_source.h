// A source with fields in memory. It counts the values that are read from it.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "graticule/core/error.h"
#include "graticule/data/random.h"
#include "graticule/data/source.h"

namespace graticule {

struct TableSource : Source {
  Catalog listing;
  std::map<std::string, std::vector<float>> values;  // times x rows x columns; one time for constants
  std::map<std::string, int64_t> rows_read;
  Storage storage;  // of every variable; each is an array of its own where this names none
  std::vector<std::pair<std::string, Span>> order;  // variables and rows, as they are read

  const Catalog& catalog() const override { return listing; }
  Storage storage_of(const std::string& variable) const override {
    Storage lies = storage;
    if (lies.array.empty()) lies.array = variable;
    return lies;
  }
  void read(const std::string& variable, int64_t time_index, Span rows, std::span<float> out) override {
    const int64_t columns = listing.columns(), height = listing.lines();
    GRATICULE_CHECK(static_cast<int64_t>(out.size()) == rows.size() * columns);
    const int64_t t = listing.variables[listing.index_of(variable)].constant ? 0 : time_index;
    std::copy_n(values.at(variable).begin() + (t * height + rows.begin) * columns, out.size(), out.begin());
    rows_read[variable] += rows.size();
    order.emplace_back(variable, rows);
  }
};

inline TableSource table_source(int64_t rows, int64_t columns, const std::vector<std::string>& variables,
                                int64_t times, int64_t step_hours, uint64_t seed) {
  TableSource source;
  source.listing.path = "a table";
  Random random(seed);
  for (int64_t y = 0; y < rows; ++y) source.listing.latitudes.push_back(180.0 * (y + 0.5) / rows - 90);
  for (int64_t x = 0; x < columns; ++x) source.listing.longitudes.push_back(360.0 * x / columns);
  for (int64_t t = 0; t < times; ++t) source.listing.times.push_back(978307200 + t * step_hours * 3600);
  for (const std::string& name : variables) {
    source.listing.variables.push_back({name, "", "", "", false});
    for (int64_t i = 0; i < times * rows * columns; ++i) {
      source.values[name].push_back(static_cast<float>(4 * random.uniform() - 1));
    }
  }
  return source;
}

/// Makes the rows of a table those of a plane, or of the layers of a volume.
inline void make_image(Catalog& listing, GridKind kind, int64_t layers) {
  const auto axis = [](const char* name, int64_t size) {
    return ImageAxis{name, std::vector<double>(static_cast<size_t>(size)), "", false};
  };
  listing.grid = kind;
  if (kind == GridKind::volume) listing.axes.push_back(axis("z", layers));
  listing.axes.push_back(axis("y", std::ssize(listing.latitudes) / layers));
  listing.axes.push_back(axis("x", std::ssize(listing.longitudes)));
  listing.latitudes.clear(), listing.longitudes.clear();
}

/// Makes the rows of a table, of one column, cells of different areas.
inline void make_cells(Catalog& listing, int64_t count) {
  Cells cells = spiral_cells(count);
  for (int64_t i = 0; i < count; ++i)
    cells.areas[static_cast<size_t>(i)] *= 0.5 + static_cast<double>(i % 5) / 4;
  listing.grid = GridKind::cells, listing.cells = std::make_shared<Cells>(std::move(cells));
  listing.latitudes.clear(), listing.longitudes.clear();
}

}  // namespace graticule

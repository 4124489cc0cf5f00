// How fields lie in a file: axes with their coordinates, and arrays over them. Pure description, no file.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "graticule/data/field_writer.h"

namespace graticule {

using Attributes = std::map<std::string, std::string>;

struct AxisLayout {
  std::string name;
  std::vector<double> values;
  bool whole = false;  ///< stored as int64, else as float64
  Attributes attributes;
};

struct ArrayLayout {
  std::string name;
  std::vector<size_t> axes;  ///< indices into FieldLayout::axes, slowest first
  std::vector<int64_t> shape, chunk;
  Attributes attributes;
};

struct FieldLayout {
  std::vector<AxisLayout> axes;
  std::vector<ArrayLayout> arrays;
  Attributes attributes;

  /// Where a variable's fields lie: its array, and their index on the level axis (0 when it has none).
  struct Slot {
    size_t array = 0;
    int64_t level = 0;
    bool leads = false, levels = false, constant = false;
  };
  std::map<std::string, Slot> slots;  ///< by name, with @level
};

/// WeatherBench's layout of what the options name. A chunk holds whole fields, of one level and lead.
FieldLayout layout_of(const FieldWriterOptions& options);

}  // namespace graticule

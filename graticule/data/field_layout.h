// Describes how FieldWriter arranges fields in a file: axes with their coordinates, and arrays over these
// axes. It opens no file; the array stores (array_store.h) write what it describes.
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
  bool whole = false;  ///< coordinates are stored as int64, else as float64
  Attributes attributes;
};

/// A coordinate along an axis of another name: where cells lie.
struct CoordinateLayout {
  std::string name;
  size_t axis = 0;  ///< index into FieldLayout::axes
  std::vector<double> values;
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
  std::vector<CoordinateLayout> coordinates;
  std::vector<ArrayLayout> arrays;
  Attributes attributes;

  /// Where a variable is stored: its array, and its index on the level axis (0 when it has none). `leads`,
  /// `levels`: the array has this axis; `constant`: it has no time axis.
  struct Slot {
    size_t array = 0;
    int64_t level = 0;
    bool leads = false, levels = false, constant = false;
  };
  std::map<std::string, Slot> slots;  ///< by variable name, such as temperature@850
};

/// The layout of WeatherBench for the variables, times and leads in `options`. A chunk contains whole fields
/// of one level and one lead. Refuses a variable listed twice, a level that is no number, and a name with and
/// without levels.
FieldLayout layout_of(const FieldWriterOptions& options);

}  // namespace graticule

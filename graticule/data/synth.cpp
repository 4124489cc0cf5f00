#include "graticule/data/synth.h"

#include <algorithm>

#include "graticule/data/field_writer.h"

namespace graticule {

void write_synthetic(const SyntheticOptions& options, const std::string& out) {
  const auto source = open_synthetic(options);
  const Catalog& catalog = source->catalog();
  FieldWriterOptions file;
  file.path = out;
  file.latitudes = catalog.latitudes;
  file.longitudes = catalog.longitudes;
  file.times = catalog.times;
  file.calendar = catalog.calendar;
  file.variables = catalog.variables;
  file.attributes = {
      {"title", "Synthetic atmosphere"},
      {"source",
       "synthetic: Rossby-Haurwitz waves and fields derived from them; nothing was observed or forecast"},
      {"history", catalog.path}};
  const auto rows = static_cast<int64_t>(catalog.latitudes.size()),
             times = static_cast<int64_t>(catalog.times.size());
  std::vector<float> field(catalog.latitudes.size() * catalog.longitudes.size());
  constexpr int64_t chunk_values = 1 << 18;
  file.time_chunk = std::clamp<int64_t>(chunk_values / static_cast<int64_t>(field.size()), 1, times);

  FieldWriter writer(file);
  for (int64_t t = 0; t < times; ++t) {
    for (const Variable& variable : catalog.variables) {
      if (variable.constant && t > 0) continue;
      source->read(variable.name, t, {0, rows}, field);
      writer.write(variable.name, t, 0, field);
    }
  }
  writer.finish();
}

}  // namespace graticule

// Compares data with those of a checkpoint. Weights and statistics belong to one grid and to one unit of each
// variable; with others, a run would continue and every number would be wrong.
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "graticule/data/source.h"

namespace graticule {

struct DataForm {
  std::vector<double> latitudes, longitudes;  ///< degrees, in the order of a Catalog
  std::map<std::string, std::string> units;   ///< of each input variable; "" where the file names none
  std::vector<int64_t> sizes = {};  ///< pixels along the axes of images; empty: any (a sphere, and crops)
  /// Of a list of cells: their number. The places above are then those of every `every`-th cell. 0: no list of cells,
  /// or a manifest that has all places.
  int64_t cells = 0, every = 1;
};

/// The form of the opened data. `known`: units from before, for variables whose data name no unit.
DataForm form_of(const Catalog& catalog, const std::vector<std::string>& variables,
                 const std::map<std::string, std::string>& known = {});

/// JSON, as the manifest contains it. Reading fails on another form. `checkpoint`: its folder.
nlohmann::json to_json(const DataForm& form);
DataForm data_form_from_json(const nlohmann::json& json, const std::string& checkpoint);

/// The pixels along the axes of a catalogue's images; empty of other fields.
std::vector<int64_t> sizes_of(const Catalog& catalog);

/// Refuses data on another grid (another number of points or pixels, or one that moved by more than grid_tolerance in
/// data/coordinates.h) or with another unit of a variable (same_units in data/units.h); the message names
/// both. Returns a sentence for each variable whose unit is known on one side only. `checkpoint`: its folder.
/// `trained`: absent for old checkpoints, which are not checked.
std::vector<std::string> refuse_other_data(const std::string& checkpoint,
                                           const std::optional<DataForm>& trained, const Catalog& catalog);
/// Its two parts: the grid, and the units.
void refuse_other_grid(const std::string& checkpoint, const DataForm& trained, const Catalog& catalog);
std::vector<std::string> refuse_other_units(const std::string& checkpoint, const DataForm& trained,
                                            const Catalog& catalog);

}  // namespace graticule

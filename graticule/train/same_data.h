// What the data of a checkpoint were. Weights and statistics belong to one grid and to one unit of each
// variable: under others a run would go on, and every number be wrong.
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "graticule/data/source.h"

namespace graticule {

struct DataForm {
  std::vector<double> latitudes, longitudes;  ///< degrees, as a catalogue has them
  std::map<std::string, std::string> units;   ///< of each input variable; "" where the file names none
};

/// Of the opened data. `known`: units of before, for variables of which the data name none.
DataForm form_of(const Catalog& catalog, const std::vector<std::string>& variables,
                 const std::map<std::string, std::string>& known = {});

/// As the manifest holds it. Reading throws json's exceptions for another shape.
nlohmann::json to_json(const DataForm& form);
DataForm data_form_from_json(const nlohmann::json& json);

/// Refuses data on another grid (more or fewer points, or one moved by more than 1e-3 degrees), or with
/// another unit of a variable (same_units, data/units.h), naming both. Gives a sentence for each variable
/// whose unit is known on one side alone. `checkpoint`: its folder; `trained`: nothing in old checkpoints,
/// which are taken as they are.
std::vector<std::string> refuse_other_data(const std::string& checkpoint,
                                           const std::optional<DataForm>& trained, const Catalog& catalog);

}  // namespace graticule

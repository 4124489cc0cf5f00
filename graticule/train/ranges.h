// The parts of the data that a recipe names: training, validation and test.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "graticule/data/sample_split.h"
#include "graticule/data/source.h"
#include "graticule/recipe/options.h"

namespace graticule {

/// The times of a part: [first, last] of data with dates; else the samples that data.train, data.valid or data.test
/// list, or those that data.split draws. Refuses a part that the recipe leaves out, and samples that are not there.
TimeRange part_of_data(const DataOptions& data, SplitPart part, const Catalog& catalog);
/// Whether the recipe names this part.
bool has_part(const DataOptions& data, SplitPart part, const Catalog& catalog);
/// The same for a list given by the user in place of the recipe's; `key` opens messages.
TimeRange times_named(const std::vector<std::string>& list, const Catalog& catalog, const std::string& key);

/// Refuses training times that are scored later: the scores would be worthless.
void refuse_overlap(const DataOptions& data, const Catalog& catalog);

}  // namespace graticule

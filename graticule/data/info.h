// What a source holds, for people and for machines: `graticule data info`.
#pragma once

#include <string>

#include "graticule/data/source.h"

namespace graticule {

/// The notes of a catalogue, for the start of a command that reads it: the first of them, and where the
/// others stand.
std::vector<std::string> notes_to_tell(const Catalog& catalog);

/// Container, grid, times, variables with levels and units, missing values. Missing values are counted over
/// all times when `count_missing`, else over at most four times spread evenly.
std::string describe(Source& source, bool count_missing);

/// The same as one JSON object: path, container, latitudes, longitudes, times {count, first, last,
/// step_seconds, gaps}, variables [{name, units, long_name, standard_name, constant}], missing and infinite
/// {name: count}, missing_times, notes, cost (what chunks cost more than they give, or null).
std::string describe_json(Source& source, bool count_missing);

}  // namespace graticule

// Describes a data set as text or JSON, for `graticule data info`, and prints its notes when a command
// starts.
#pragma once

#include <string>

#include "graticule/data/source.h"

namespace graticule {

/// The first eight notes of a catalogue, to print when a command reads the data. With more notes, the last
/// line gives the command that prints all of them.
std::vector<std::string> notes_to_tell(const Catalog& catalog);

/// A text of several lines: container, grid, times, variables with levels and units, missing values. Missing
/// values are counted over all times when `count_missing` is set, else over at most four times spread evenly.
std::string describe(Source& source, bool count_missing);

/// The same as one JSON object: path, container, latitudes, longitudes, latitude_descending, times {count,
/// first, last, step_seconds, gaps}, variables [{name, units, long_name, standard_name, constant}], missing
/// and infinite {name: count}, missing_times (how many times were counted), notes, and cost (a text about
/// chunks that are expensive to read, or null).
std::string describe_json(Source& source, bool count_missing);

}  // namespace graticule

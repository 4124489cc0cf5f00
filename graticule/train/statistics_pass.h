// Provides the normalisation constants of a run. They are read from RUN/statistics.json if it was made from
// the same data. Otherwise all ranks compute them together, each for its share of the variables, and rank 0
// writes the file.
#pragma once

#include "graticule/comm/launch.h"
#include "graticule/data/statistics.h"
#include "graticule/recipe/options.h"

namespace graticule {

/// The statistics of the run, the same on every rank. Refuses a recipe without data.train. Collective over
/// `everyone`.
Statistics statistics_of_run(const Options& options, Source& source, const World& world,
                             const Group& everyone);

/// Reads statistics from a file's text. Refuses a text of another form; `way_out` ends the message.
Statistics statistics_of_text(const std::string& json, const std::string& path, const std::string& way_out);

/// Gathers every rank's text on every rank, in rank order. Collective over `group`.
std::vector<std::string> gather_texts(const std::string& mine, const Group& group);

}  // namespace graticule

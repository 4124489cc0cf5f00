// The normalisation constants of a run: read from RUN/statistics.json when that was made from the same data,
// else computed by all ranks together, each from its share of the training times, and written there.
#pragma once

#include "graticule/comm/launch.h"
#include "graticule/data/statistics.h"
#include "graticule/recipe/options.h"

namespace graticule {

/// Collective over `everyone`.
Statistics statistics_of_run(const Options& options, Source& source, const World& world,
                             const Group& everyone);

/// Statistics from the text of a file, refused in words of ours when they have another form. `way_out` ends
/// the message.
Statistics statistics_of_text(const std::string& json, const std::string& path, const std::string& way_out);

/// Every rank's text on every rank, in rank order; collective.
std::vector<std::string> gather_texts(const std::string& mine, const Group& group);

}  // namespace graticule

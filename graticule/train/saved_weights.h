// The weights of a checkpoint. Each part of a block (parallel/block_weights.h) is saved as one flat tensor,
// cut over the files of its shard group's ranks. The manifest says of each flat which parameters lie in it,
// which pieces of them (the tensor axis cuts some) and which files hold it, so a checkpoint says nothing that
// only the layout that wrote it could read.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "graticule/train/run.h"

namespace graticule {

/// Writes this rank's spans of master weights and moments; nothing of what another copy writes.
void write_weights(Run& run, const std::string& path);

/// What this rank wrote, for the manifest: an array of {"flat", "place", "of", "parameters"}.
nlohmann::json describe_weights(Run& run);

/// The manifest's "flats" from what all ranks wrote (rank r's file is files[r]).
nlohmann::json join_descriptions(const std::vector<nlohmann::json>& of_ranks,
                                 const std::vector<std::string>& files);

/// Loads weights (and, with `moments`, the optimizer's state) of the manifest's "flats", whose files lie in
/// `folder`, into the chain's owned spans. Moments saved in another dtype are rounded to the nearest. Refuses
/// another model, naming the first parameter that differs. Local to the rank.
void read_weights(const nlohmann::json& flats, const std::string& folder, Chain& chain, bool moments);

}  // namespace graticule

// Writes and reads the weights of a checkpoint. Each part of a block (parallel/block_weights.h) is saved as
// one flat tensor, cut over the files of its shard group's ranks. For each flat tensor, the manifest lists
// its parameters, which pieces of them it contains (the tensor axis cuts some), and its files. So any layout
// can read a checkpoint.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "graticule/train/run.h"
#include "graticule/train/safetensors.h"

namespace graticule {

/// A tensor of a rank's file.
struct SavedPart {
  TensorEntry entry;
  at::Tensor values;  ///< a view of the state in use
};
/// What this rank writes: its spans of master weights, moments and averages, in the order of the file. When
/// several ranks have copies, one of them writes.
std::vector<SavedPart> parts_to_save(Run& run);

/// A description of what this rank wrote, for the manifest: an array of {"flat", "block", "place", "of",
/// "parameters"}.
nlohmann::json describe_weights(Run& run);

/// The manifest's "flats", made from the descriptions of all ranks (rank r's file is files[r]).
nlohmann::json join_descriptions(const std::vector<nlohmann::json>& of_ranks,
                                 const std::vector<std::string>& files);

/// What is taken from a checkpoint. `state`: all that training goes on with. `weights`: the averages of the
/// weights if the checkpoint has any, else the weights. `raw_weights`: the weights. `encoder`: as weights, but of
/// tokenizer and transformer blocks alone, because the ends belong to another task.
enum class Taken { state, weights, raw_weights, encoder };
/// Whether a block belongs to what is taken.
bool takes(Taken taken, const std::string& block);

/// Loads what is `taken` of the manifest's "flats", whose files are in `folder`, into the chain's owned spans.
/// `averaged`: the files have averages. Moments saved in another dtype are rounded to the nearest. Averages of
/// the chain that are not taken start as its weights. Refuses another model, naming every parameter of this
/// rank's blocks that differs. Reads only the files that have spans of this rank, and calls `check` with the name
/// of each of them first. Local to the rank.
void read_weights(const nlohmann::json& flats, const std::string& folder, Chain& chain, Taken taken,
                  bool averaged, const std::function<void(const std::string& name)>& check);

}  // namespace graticule

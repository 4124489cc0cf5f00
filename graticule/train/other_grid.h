// Lets a trained model run on a grid of another size than it was trained on, of the same extent. A token's place enters
// as an angle: a part of the whole axis. So on finer data there are more tokens, at angles between those of the
// training, and no weight changes. Numbers of waves follow from the number of patches; they stay those of the trained
// grid (TrainedAxis in core/token_grid.h), as the statistics do.
#pragma once

#include <optional>
#include <string>

#include "graticule/train/build.h"
#include "graticule/train/same_data.h"

namespace graticule {

/// Places the tokens of `problem` among those of the grid that a checkpoint was trained on, if the data have another
/// number of rows, columns or layers. Returns a sentence for the user then, else "". Refuses data of another extent (a
/// sphere's; images count as of one), on other cells, and a grid of the same size elsewhere. `checkpoint`: its folder.
/// `trained`: absent for old checkpoints, which are not checked.
std::string place_in_trained_grid(const std::string& checkpoint, const std::optional<DataForm>& trained,
                                  Problem& problem);

}  // namespace graticule

// Connects the parts: turns options and a world into a run. No other file knows how the parts fit together.
// `train`, `eval`, `forecast` and `check` of the command line, the dry run, and tests start here.
//
// Legend: T this rank's tokens.
#pragma once

#include "graticule/attention/attention.h"
#include "graticule/comm/launch.h"
#include "graticule/model/masked.h"
#include "graticule/parallel/tensor.h"
#include "graticule/train/run.h"

namespace graticule {

/// A recipe with its data opened. define_problem opens the data and fills in what the recipe leaves out:
/// variables, targets, the token grid, the sizes of a preset. Local to the rank. Refuses unknown variables,
/// ranges that are empty or overlap, and sizes that make no model.
struct Problem {
  Options options;
  std::shared_ptr<Source> source;
  ModelShape shape;
};
Problem define_problem(const Options& options);

/// Opens the data of a recipe (data/source.h).
std::shared_ptr<Source> open_data(const DataOptions& data);

/// The model's sizes from the recipe, for a known grid and number of variables; token mode and patch are those of
/// the recipe. Refuses sizes that make no model, and a patch larger than the grid.
ModelShape shape_of(const ModelOptions& model, const TokenGrid& grid);

/// The sizes of the model for the recipe's task (task.h) and the grid of its input. Refuses what shape_of refuses, and
/// what the task cannot use.
ModelShape shape_of_task(const Options& options, const TokenGrid& grid);

/// Sets the number of LibTorch's threads of this rank: `threads`, or when it is 0 the node's cores divided by
/// its ranks.
void set_threads(int64_t threads, const World& world);

/// How one rank computes the model: its tokens, its attention and how its weights and blocks are spread.
/// layers_of makes it from the recipe's layout, for the program as well as for code that measures or checks
/// it. The default is one rank without tokens. Local to the rank.
struct Layers {
  Span tokens;  ///< this rank's tokens
  Attention attention;
  TensorLayers tensor;
  WholeSequence whole;  ///< attention and tensor only with a decoder (ModelShape::decoder)
  int64_t tile_tokens = TrainOptions().tile_tokens;
  ChainOptions chain;
};
Layers layers_of(const Options& options, const ModelShape& shape, const Mesh& mesh, const World& world);

/// The model's chain of blocks (parallel/chain.h) on these layers.
Chain chain_of(const ModelShape& shape, const Layers& layers);

/// Makes the mesh of the recipe's layout over `world` and writes all degrees into `options`. Refuses a layout
/// that cannot work. Collective over `world`.
Mesh mesh_of(Options& options, const ModelShape& shape, const World& world);

/// Options of the loader for this rank: variables, targets, leads, the rank's samples, and `tokens`.
LoaderOptions loader_options(const Options& options, const ModelShape& shape, const Mesh& mesh,
                             const Span& tokens);

/// Makes this rank's run, ready for its first step. The choices of `problem` must be made already:
/// dry/settle.h makes them, and its build() calls this function. `for_training`: also makes a loader of the
/// training range. `statistics`: those of a checkpoint; absent: they are read from RUN/statistics.json, or
/// all ranks compute them together. Refuses train.activations = "auto". Collective over the world.
Run assemble(const Problem& problem, const World& world, bool for_training,
             const std::optional<Statistics>& statistics = std::nullopt);

}  // namespace graticule

// The only wiring: options and a world become a run. Nothing else knows how the parts fit together.
#pragma once

#include "graticule/attention/attention.h"
#include "graticule/comm/launch.h"
#include "graticule/parallel/tensor.h"
#include "graticule/train/run.h"

namespace graticule {

/// Opens the data and fills in what the recipe leaves to it: variables, targets, the token grid, the preset's
/// sizes. Local to the rank; refuses variables that are not there, ranges that overlap or are empty, sizes
/// that make no model.
struct Problem {
  Options options;
  std::shared_ptr<Source> source;
  ModelShape shape;
};
Problem define_problem(const Options& options);

/// The model's sizes by the recipe alone, for a known grid and number of variables.
ModelShape shape_of(const ModelOptions& model, int64_t variables, int64_t rows, int64_t columns);

/// Sets this rank's threads: `threads`, or the node's cores over its ranks when it is 0.
void set_threads(int64_t threads, const World& world);

/// The layers of a rank: how the recipe's layout spreads the tokens, attention, weights and blocks of a
/// model. One place for the program and for what measures or checks it. By default: one rank without tokens.
struct Layers {
  Span tokens;  ///< this rank's tokens
  Attention attention;
  TensorLayers tensor;
  int64_t tile_tokens = TrainOptions().tile_tokens;
  ChainOptions chain;
};
Layers layers_of(const Options& options, const ModelShape& shape, const Mesh& mesh, const World& world);

/// The model's chain of blocks on these layers.
Chain chain_of(const ModelShape& shape, const Layers& layers);

/// The mesh of the recipe's layout over `world`, and the options with every degree filled in; collective.
Mesh mesh_of(Options& options, const ModelShape& shape, const World& world);

/// How a loader cuts samples for this rank.
LoaderOptions loader_options(const Options& options, const ModelShape& shape, const Mesh& mesh,
                             const Span& tokens);

/// The run of this rank, ready for its first step, of a problem whose choices are settled (dry/settle.h; its
/// build() does both). Refuses train.activations = "auto". Collective over the world. `for_training`: with a loader
/// of the training range. `statistics`: of a checkpoint; else they are read from RUN/statistics.json, or
/// computed by all ranks together.
Run assemble(const Problem& problem, const World& world, bool for_training,
             const std::optional<Statistics>& statistics = std::nullopt);

}  // namespace graticule

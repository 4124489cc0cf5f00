// The only wiring: options and a world become a run. Nothing else knows how the parts fit together.
#pragma once

#include "graticule/comm/launch.h"
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

/// How a loader cuts samples for this rank.
LoaderOptions loader_options(const Options& options, const ModelShape& shape, const Mesh& mesh,
                             const Span& tokens);

/// The run of this rank, ready for its first step; collective over the world. `for_training`: with a loader
/// of the training range. `statistics`: of a checkpoint; else they are read from RUN/statistics.json, or
/// computed by all ranks together.
Run build(const Problem& problem, const World& world, bool for_training,
          const std::optional<Statistics>& statistics = std::nullopt);

}  // namespace graticule

// Everything that a rank has of a run: the data it reads, the model it computes, its place in the mesh.
// assemble() (build.h) makes it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "graticule/comm/mesh.h"
#include "graticule/core/model_shape.h"
#include "graticule/data/loader.h"
#include "graticule/data/source.h"
#include "graticule/data/statistics.h"
#include "graticule/parallel/chain.h"
#include "graticule/recipe/options.h"
#include "graticule/train/spikes.h"
#include "graticule/train/validation.h"

namespace graticule {

struct Run {
  Options options;  ///< resolved: every derived value filled in
  Mesh mesh;
  std::shared_ptr<Source> source;  ///< for evaluation and forecasts; the loader has its own
  Statistics statistics;
  ModelShape shape;
  Span tokens;  ///< this rank's tokens
  Chain chain;
  std::optional<Loader> loader;   ///< of the training range; absent when only evaluating
  int64_t step = 0;               ///< updates made
  std::string parent = {};        ///< folder of the checkpoint it continues from; "": from the start
  std::string started_from = {};  ///< checkpoint whose weights the run began with; "": random weights
  Validation validation = {};     ///< what the evaluations during training have shown
  Spikes spikes = {};             ///< the losses of this job
  std::map<std::string, std::string> known_units = {};  ///< of that checkpoint, where the data name none

  /// Waits until nobody else reads the weights, so that they may be changed; empty: nobody does.
  std::function<void()> before_update = {};

  at::Device device() const { return chain.device(); }
};

}  // namespace graticule

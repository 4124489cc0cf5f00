// The time that a run spends on the file system: samples that a step reads, and checkpoints. A closed form,
// because the whole job shares one bandwidth: that of the machine, times the job's share of its nodes.
#pragma once

#include "graticule/core/model_shape.h"
#include "graticule/plan/cluster.h"
#include "graticule/recipe/options.h"

namespace graticule {

struct FileTime {
  double read_bytes = 0, read = 0;              ///< of the samples of one step; seconds
  double checkpoint_bytes = 0, checkpoint = 0;  ///< of one checkpoint; seconds
};

/// The time that a job of `ranks` ranks spends on the file system. Each value of a sample is read once, in 4
/// bytes: every variable at the states that the model reads and at those that the loss judges. A checkpoint
/// has the weights and averages in 4 bytes, and the two moments in their type. Refuses a cluster without
/// [file_system].
FileTime file_time(const Options& options, const ModelShape& shape, const Cluster& cluster, int ranks);

}  // namespace graticule

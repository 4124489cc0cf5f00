#include "graticule/simulate/file_time.h"

#include "graticule/core/error.h"

namespace graticule {

FileTime file_time(const Options& options, const ModelShape& shape, const Cluster& cluster, int ranks) {
  if (!cluster.file_system) {
    refuse("simulate", "cluster ", cluster.name,
           " has no table [file_system]: add read_gb_s and write_gb_s of its file system (docs/planner.md)");
  }
  const int64_t nodes = (ranks + cluster.devices_per_node - 1) / cluster.devices_per_node;
  const double share = static_cast<double>(nodes) / static_cast<double>(cluster.nodes);
  const TokenGrid& grid = shape.grid;
  const int64_t values = grid.variables * grid.rows * grid.columns * (grid.states + options.train.rollout);
  const int64_t bytes_a_weight =
      fp32_bytes * (options.train.ema > 0 ? 2 : 1) + 2 * bytes_of(options.train.moments);
  FileTime time;
  time.read_bytes = static_cast<double>(options.data.batch * values * fp32_bytes);
  time.read = time.read_bytes / (share * cluster.file_system->read);
  time.checkpoint_bytes = static_cast<double>(parameters(shape) * bytes_a_weight);
  time.checkpoint = time.checkpoint_bytes / (share * cluster.file_system->write);
  return time;
}

}  // namespace graticule

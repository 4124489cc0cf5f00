// Rewrites a data set as one Zarr store of format 3 with few, large files: a chunk is one field, a file
// (shard) holds the fields of one variable at many times. `graticule data convert` uses it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "graticule/data/source.h"
#include "graticule/data/time.h"

namespace graticule {

struct ConvertOptions {
  std::string out;                           ///< the new store; while it is made, OUT.partial
  std::vector<std::string> variables;        ///< as the catalogue calls them
  TimeRange range;                           ///< times to write
  int64_t shard_bytes = int64_t{256} << 20;  ///< of a file, before compression; also the memory needed
  int threads = 1;                           ///< for compression
};

/// What will be written.
struct ConvertPlan {
  int64_t files = 0;        ///< with those of the coordinates and metadata
  int64_t shards = 0;       ///< files with fields
  int64_t shard_bytes = 0;  ///< of the largest one, before compression
  int64_t bytes = 0;        ///< of all, before compression
  int64_t times = 0;
  std::vector<std::string> gaps;  ///< "name@level" that no variable has, but the store's level axis needs
};

/// Converts shard by shard. Each is read back and compared bit by bit before it gets its name, so a shard with
/// its name is right. A run that was stopped goes on where it was: shards that exist in OUT.partial are kept.
class Converter {
 public:
  /// Refuses an output that exists or does not end in .zarr, a range without times, and an OUT.partial that
  /// another command began. Writes nothing.
  Converter(Source& source, const ConvertOptions& options);
  ~Converter();
  Converter(const Converter&) = delete;
  Converter& operator=(const Converter&) = delete;

  const ConvertPlan& plan() const;
  /// Shards that an earlier run finished.
  int64_t finished() const;
  /// Writes the store. `progress` is called after each shard with the number that is done. Returns the bytes
  /// on disk. Fails when the disk refuses, and when a shard does not read back as it was.
  int64_t run(const std::function<void(int64_t done)>& progress);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace graticule

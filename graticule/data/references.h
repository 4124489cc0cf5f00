// References into other files: a small file that says, for every key of a Zarr store, where its bytes are. The
// form is kerchunk's JSON (version 0 or 1), which VirtualiZarr writes too (fsspec.github.io/kerchunk/spec.html).
#pragma once

#include <string>

#include "graticule/data/key_store.h"

namespace graticule {

/// Whether a file begins as JSON.
bool is_references(const std::string& file);

/// Refuses a folder of references in Parquet, and says how to write them as JSON.
[[noreturn]] void refuse_parquet(const std::string& folder);

/// Opens the references in `file`. Relative paths count from its folder. The files must be in that folder, or in
/// `place` (a folder, a file, or the start of an address, as "s3://bucket"; "" for none). Refuses, by name, a
/// file elsewhere, a local file that is gone, and generated references. Fails on a file that is no JSON.
Keys open_references(const std::string& file, const std::string& place);

/// Where the bytes of references and archives may be. A path is allowed below its own folder or below the place
/// that the user named.
class AllowedPlaces {
 public:
  /// `owner`: the file or folder that refers, for messages; `folder`: its own folder.
  AllowedPlaces(std::string owner, const std::string& folder, const std::string& place);
  /// The path as file_bytes.h reads it. Refuses one that is elsewhere, or a local file that does not exist.
  std::string resolve(const std::string& path) const;

 private:
  std::string owner_, folder_, place_;
};

}  // namespace graticule

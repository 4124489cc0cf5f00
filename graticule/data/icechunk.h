// An Icechunk repository on this machine (format 1 or 2) as a set of keys: the newest state of its branch
// `main`. A snapshot lists the nodes of a Zarr 3 store; its manifests say where each chunk is: in the manifest,
// in the folder `chunks`, or in another file (icechunk.io, "Specification").
#pragma once

#include <string>

#include "graticule/data/key_store.h"

namespace graticule {

/// Whether a local folder is an Icechunk repository.
bool is_icechunk(const std::string& folder);

/// Opens the repository. Chunks in other files must be in the repository's folder or in `place`
/// (references.h). Refuses a repository without the branch main, and chunks in files elsewhere or gone. Fails
/// on metadata that are damaged.
Keys open_icechunk(const std::string& folder, const std::string& place);

}  // namespace graticule

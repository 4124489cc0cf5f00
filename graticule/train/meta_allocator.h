// Lets meta tensors, which have no data, report the bytes that real tensors would take. The dry run
// (dry/dry_run.h) measures memory this way.
#pragma once

namespace graticule {

/// Installs the allocator. From then on, a meta tensor's allocation is reported to the thread's MemoryWatch
/// like a real one. Further calls do nothing; without a watch nothing changes.
void book_meta_tensors();

}  // namespace graticule
